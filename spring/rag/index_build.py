"""Build an index folder (`spring.rag.index`): several processes make terms, one writes them.

The data goes to a folder of its own, and the manifest, which names it, is replaced last: killed at any moment, the old
index is still whole, and the next build removes what was left. Adding works on hard links to the old data, whose files
tantivy never changes in place.
"""

import fcntl
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from spring.data.copies import without_copies
from spring.data.corpus import FLASHRAG, Fields, batches, holds_rows, opened, passages_of
from spring.data.sandbox.files import local_files, local_limits, read_each
from spring.data.types import Passage
from spring.errors import DocumentError
from spring.rag.index import FORMAT, MANIFEST, VERSION, Manifest, document_fields, is_index, pack, register, schema
from spring.rag.terms import RULES, passage_terms

if TYPE_CHECKING:
    import tantivy

BATCH = 1_000  # rows or passages that a process makes terms of at once
HEAP = 256 * 2**20  # bytes that tantivy collects before it writes
SHOWN = 5  # reasons for skipped rows

Report: TypeAlias = Callable[[int, int], None]  # passages so far, bytes of the input read so far


class _Prepared(NamedTuple):
    """A passage made ready for tantivy by another process."""

    terms: str
    id: str
    passage: bytes
    language: str
    length: int  # terms


class _Work(NamedTuple):
    """What a process makes terms of: rows of a file, or passages that were read already."""

    rows: Sequence[bytes] = ()
    name: str = ""
    first: int = 1
    fields: Fields = FLASHRAG
    passages: Sequence[Passage] = ()
    position: int = 0  # bytes of the input read so far


class _Batch(NamedTuple):
    """What it made."""

    prepared: list[_Prepared]
    skipped: list[tuple[int, str]]  # the number of each row without text, and why
    position: int


def _prepare(work: _Work) -> _Batch:
    passages, skipped = list(work.passages), []
    for number, line in enumerate(work.rows, work.first):
        found = passages_of(line, work.name, number, work.fields)
        if isinstance(found, str):
            skipped.append((number, found))
        else:
            passages += found
    prepared = []
    for passage in passages:
        terms, language = passage_terms(passage)
        if terms:
            prepared.append(_Prepared(" ".join(terms), passage.id, pack(passage), language, len(terms)))
    return _Batch(prepared, skipped, work.position)


@dataclass
class Built:
    """What became of the files of a build."""

    passages: int = 0
    documents: int = 0
    terms: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)  # files that could not be read, a sentence each
    copies: list[str] = field(default_factory=list)  # files with the content of another one, a line each
    skipped: Counter[str] = field(default_factory=Counter)  # rows without a passage, by file and reason


def build_index(
    paths: Sequence[Path],
    output: Path,
    fields: Fields = FLASHRAG,
    *,
    add: bool = False,
    processes: int | None = None,
    report: Report = lambda passages, position: None,
) -> Built:
    """Index files and folders; the index that was there is replaced, or added to.

    Raises:
        DocumentError: nothing could be read, the output is another kind of folder, the disk is full, and so on. Then
            the index that was there has not changed.

    """
    files = local_files(paths)
    built = Built()
    return write_index(_works(files, fields, built), output, built, add=add, processes=processes, report=report)


def index_passages(passages: Iterable[Passage], output: Path, *, add: bool = False) -> Built:
    """Index passages that are there already, see `build_index`."""
    works = (_Work(passages=batch) for batch in _chunks(passages, BATCH))
    return write_index(works, output, Built(documents=1), add=add)


def write_index(
    works: Iterable[_Work],
    output: Path,
    built: Built,
    *,
    add: bool = False,
    processes: int | None = None,
    report: Report = lambda passages, position: None,
) -> Built:
    """Write the index of all that comes, and name it in the manifest when it is whole."""
    with _locked(output):
        old = Manifest.read(output) if add else None
        _remove_leftovers(output)
        data = output / f"data-{uuid.uuid4().hex[:12]}"
        digest = hashlib.sha256(old.fingerprint.encode() if old else b"")
        try:
            _fill(data, output / old.data if old else None, works, built, digest, processes, report)
            if not built.passages:
                raise DocumentError("No document could be read: " + ("; ".join(built.errors) or _reasons(built)) + ".")
            manifest = _manifest(data, built, old, digest.hexdigest())
            temporary = data / MANIFEST
            with temporary.open("w", encoding="utf-8") as file:
                file.write(manifest.model_dump_json(indent=2))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, output / MANIFEST)
        except OSError as error:
            raise DocumentError(f"The index could not be written to {output} ({error.strerror or error}).") from error
        finally:
            _remove_leftovers(output)
    return built


def _reasons(built: Built) -> str:
    return "; ".join(f"{reason} ({count:,} rows)" for reason, count in built.skipped.items()) or "there are no files"


def _works(files: Sequence[tuple[Path, str]], fields: Fields, built: Built) -> Iterator[_Work]:
    """The rows of JSON Lines files, and the passages of all others, which are read in a child with limits."""
    done = 0
    rows_of, built.copies = without_copies([file for file in files if holds_rows(file[0])])
    for path, name in rows_of:
        with opened(path) as (rows, file):
            for first, lines in batches(rows, BATCH):
                yield _Work(lines, name, first, fields, position=done + file.tell())
        done += path.stat().st_size
        built.documents += 1
    others = [(path, name) for path, name in files if not holds_rows(path)]
    if others:
        for (path, _), (result, passages) in zip(others, read_each(others, local_limits(others)), strict=True):
            done += path.stat().st_size if path.is_file() else 0
            if result.error is not None:
                built.errors.append(result.error)
                continue
            if not result.pages:
                built.copies.append(result.line)
                continue
            built.documents += 1
            for batch in _chunks(passages, BATCH):
                yield _Work(passages=batch, position=done)


def _chunks(passages: Iterable[Passage], size: int) -> Iterator[list[Passage]]:
    rest = iter(passages)
    while batch := list(islice(rest, size)):
        yield batch


def _fill(
    data: Path,
    before: Path | None,
    works: Iterable[_Work],
    built: Built,
    digest: "hashlib._Hash",
    processes: int | None,
    report: Report,
) -> None:
    """Write tantivy's files."""
    import tantivy

    data.mkdir()
    order = 0
    if before is not None:
        for file in before.iterdir():
            if not file.name.endswith(".lock"):
                _link(file, data / file.name)
        index = tantivy.Index.open(str(data))
        order = index.searcher().num_docs
    else:
        index = tantivy.Index(schema(), path=str(data))
    register(index)
    with _prepared(works, processes or _cores()) as ready:
        first = next(ready, None)  # so that nothing is written where nothing can be read
        if first is None:
            return
        writer = index.writer(HEAP, 1)
        for batch in _again(first, ready):
            order = _add(writer, batch, order, built, digest)
            report(built.passages, batch.position)
        writer.commit()
        writer.wait_merging_threads()


def _add(writer: "tantivy.IndexWriter", batch: _Batch, order: int, built: Built, digest: "hashlib._Hash") -> int:
    for passage in batch.prepared:
        writer.add_document(document_fields(passage.terms, passage.id, order, passage.passage))
        digest.update(passage.passage)
        built.languages[passage.language] += 1
        built.terms += passage.length
        order += 1
    built.passages += len(batch.prepared)
    for _, reason in batch.skipped:
        built.skipped[reason] += 1
    return order


def _again(first: _Batch, rest: Iterator[_Batch]) -> Iterator[_Batch]:
    yield first
    yield from rest


def _in_order(pool: ProcessPoolExecutor, works: Iterable[_Work], ahead: int) -> Iterator[_Batch]:
    """What the processes make, in the order of the works, at most so many of them ahead."""
    waiting: deque[Future[_Batch]] = deque()
    try:
        for work in works:
            waiting.append(pool.submit(_prepare, work))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise DocumentError("A process that makes the terms was ended, perhaps for want of memory.") from error


@contextmanager
def _prepared(works: Iterable[_Work], processes: int) -> Iterator[Iterator[_Batch]]:
    """Make the terms, in other processes unless one is enough."""
    if processes == 1:
        yield map(_prepare, works)
        return
    # Not fork: tantivy's writer has threads.
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    try:
        yield _in_order(pool, works, 2 * processes + 1)
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let this process end when the one that writes is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _link(file: Path, new: Path) -> None:
    if file.suffix == ".json":  # written anew by tantivy, and so small that a copy costs nothing
        shutil.copy2(file, new)
        return
    try:
        os.link(file, new)
    except OSError:  # a file system without hard links
        shutil.copy2(file, new)


def _manifest(data: Path, built: Built, old: Manifest | None, fingerprint: str) -> Manifest:
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        rules=RULES,
        tantivy=version("tantivy"),
        data=data.name,
        passages=built.passages,
        documents=built.documents,
        terms=built.terms,
        languages=dict(built.languages.most_common()),
        fingerprint=fingerprint,
    )
    if old is None:
        return manifest
    languages = Counter(old.languages) + built.languages
    return manifest.model_copy(
        update={
            "passages": old.passages + built.passages,
            "documents": old.documents + built.documents,
            "terms": old.terms + built.terms,
            "languages": dict(languages.most_common()),
        }
    )


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keep other builds out of the folder, which is made if it is not there.

    Raises:
        DocumentError: another build is at work, or the folder holds something else.

    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in output.iterdir() if not path.name.startswith((".lock", "data-"))]
        if others and not is_index(output):
            raise DocumentError(f"{output} is no index and not empty: choose another folder for --output.")
        with (output / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DocumentError(
                    f"{output} is being written by another `spring index`: wait for its end."
                ) from error
            yield
    except OSError as error:
        raise DocumentError(f"{output} cannot be used as a folder for an index ({error.strerror}).") from error


def _remove_leftovers(output: Path) -> None:
    """Remove the data that no manifest names."""
    kept = json.loads((output / MANIFEST).read_bytes())["data"] if is_index(output) else None
    for path in output.glob("data-*"):
        if path.name != kept:
            shutil.rmtree(path, ignore_errors=True)
