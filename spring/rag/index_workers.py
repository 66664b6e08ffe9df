"""Make the terms of passages in several processes, in the order of the passages."""

import multiprocessing
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import NamedTuple

from spring.data.corpus import FLASHRAG, Fields, passages_of
from spring.data.types import Passage
from spring.errors import DocumentError
from spring.rag.index_fields import pack
from spring.rag.index_terms import digests
from spring.rag.languages import DEFAULT_LANGUAGE
from spring.rag.terms import passage_terms


class Work(NamedTuple):
    """What a process makes terms of: rows of a file, or passages that were read already."""

    rows: Sequence[bytes] = ()
    name: str = ""
    first: int = 1
    fields: Fields = FLASHRAG
    passages: Sequence[Passage] = ()
    position: int = 0  # bytes of the input read so far


class Batch(NamedTuple):
    """Passages made ready for an index, in lists of their parts, which go from process to process faster."""

    terms: list[str]  # of each passage, with spaces between them
    ids: list[str]
    packed: list[bytes]
    lengths: list[int]  # terms of each
    digests: bytes  # of all terms, see `spring.rag.index_terms`
    languages: Counter[str]  # passages in each
    skipped: Counter[str]  # rows without text, by the reason
    position: int


def prepare(work: Work) -> Batch:
    """Make the terms of passages; those that have none are left out."""
    passages, skipped = list(work.passages), Counter[str]()
    for number, line in enumerate(work.rows, work.first):
        found = passages_of(line, work.name, number, work.fields)
        if isinstance(found, str):
            skipped[found] += 1
        else:
            passages += found
    batch = Batch([], [], [], [], b"", Counter(), skipped, work.position)
    every, language = list[str](), DEFAULT_LANGUAGE
    for passage in passages:
        terms, language = passage_terms(passage, language)
        if terms:
            batch.terms.append(" ".join(terms))
            batch.ids.append(passage.id)
            batch.packed.append(pack(passage))
            batch.lengths.append(len(terms))
            batch.languages[language] += 1
            every += terms
    return batch._replace(digests=digests(every).tobytes())


def _in_order(pool: ProcessPoolExecutor, works: Iterable[Work], ahead: int) -> Iterator[Batch]:
    """What the processes make, in the order of the works, at most so many of them ahead."""
    waiting: deque[Future[Batch]] = deque()
    try:
        for work in works:
            waiting.append(pool.submit(prepare, work))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DocumentError("A process that makes the terms was ended, perhaps for want of memory.") from error


@contextmanager
def prepared(works: Iterable[Work], processes: int | None) -> Iterator[Iterator[Batch]]:
    """Make the terms, in other processes unless one is enough; None: one for each core."""
    processes = processes or _cores()
    if processes == 1:
        yield map(prepare, works)
        return
    # Not fork: tantivy's writer has threads.
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        yield _in_order(pool, works, 2 * processes + 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _end_with_parent() -> None:
    """Let this process end when the one that writes is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
