"""Say how far a long piece of work is while it runs."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

Say: TypeAlias = Callable[[str], None]
_T = TypeVar("_T")
_U = TypeVar("_U")


def silent(line: str) -> None:
    """Say nothing."""


def lines_of(work: Callable[[Say], _T], shown: Callable[[str], _U]) -> Generator[_U, None, _T]:
    """Run `work` in a thread of its own and yield the lines that it says, as they come, each as `shown` makes it.

    The work does not wait for whoever reads the lines: if nobody does any more, it still gives back what it holds.

    Returns:
        What `work` returns; what it raises is raised here.

    """
    lines = SimpleQueue[str | None]()
    thread = ThreadPoolExecutor(1, thread_name_prefix="work")
    result = thread.submit(work, lines.put)
    result.add_done_callback(lambda _: lines.put(None))
    thread.shutdown(wait=False)
    for line in iter(lines.get, None):
        yield shown(line)
    return result.result()
