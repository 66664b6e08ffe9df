"""Keep the comparisons of each visitor for a while, so that they can be explained, shown again and exported.

Nothing is asked for: what is kept takes the memory that documents leave free, and without room it is not kept.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from sys import getsizeof

from spring.generation.comparison import Comparison
from spring.web.visitors.sessions import LEFT, SHARE

CLOCK = time.monotonic
KEPT = 50  # comparisons of one visitor
PER_VISITOR = 4 * 2**20  # bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """One comparison that was answered."""

    number: int  # names it; no two of the server have the same
    comparison: Comparison
    golden: tuple[str, ...]  # expected answers
    is_own: bool  # it quotes the visitor's own documents
    nbytes: int


@dataclass(eq=False, slots=True)
class _Visit:
    address: str
    kept: tuple[Kept, ...] = ()  # oldest first
    used: float = field(default_factory=lambda: CLOCK())
    left: float | None = None  # when the visitor closed the page

    @property
    def nbytes(self) -> int:
        return sum(kept.nbytes for kept in self.kept)


class History:
    """The last comparisons of every visitor, by session.

    Args:
        idle: seconds after their last use after which a visitor's comparisons are dropped.
        room: bytes that all of them may take now.

    """

    def __init__(self, idle: float = 3600.0, room: Callable[[], int] = lambda: 100 * 2**20) -> None:
        self._idle, self._room = idle, room
        self._visits: dict[str, _Visit] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(visit.nbytes for visit in list(self._visits.values()))

    def keep(
        self, visitor: str, comparison: Comparison, golden: Sequence[str] = (), is_own: bool = False, address: str = ""
    ) -> int:
        """Keep a comparison that is complete; the visitor's oldest ones make room for it.

        Returns:
            Its number; 0 if there is no room for it.

        """
        entry = Kept(next(self._numbers), comparison, tuple(golden), is_own, _size(comparison))
        with self._lock:
            self._tidy()
            before = self._visits.get(visitor)
            visit = _Visit(address, (*(before.kept if before else ()), entry)[-KEPT:])
            others = [other for name, other in self._visits.items() if name != visitor]
            room = self._room()
            same = sum(other.nbytes for other in others if other.address == address)
            free = min(PER_VISITOR, room - sum(other.nbytes for other in others), room // SHARE - same)
            while visit.kept and visit.nbytes > free:
                visit.kept = visit.kept[1:]
            if not visit.kept:
                self._visits.pop(visitor, None)
                return 0
            self._visits[visitor] = visit
            return entry.number

    def of(self, visitor: str) -> tuple[Kept, ...]:
        """The visitor's comparisons, oldest first."""
        with self._lock:
            self._tidy()
            visit = self._visits.get(visitor)
            if visit is None:
                return ()
            visit.used, visit.left = CLOCK(), None
            return visit.kept

    def find(self, visitor: str, number: object) -> Kept | None:
        """One of the visitor's comparisons; None if it is not kept, or is another visitor's."""
        return next((kept for kept in self.of(visitor) if kept.number == number), None)

    def forget_own(self, visitor: str) -> None:
        """Drop the comparisons that quote the visitor's own documents, which are removed."""
        with self._lock:
            if visit := self._visits.get(visitor):
                visit.kept = tuple(kept for kept in visit.kept if not kept.is_own)

    def clear(self, visitor: str) -> None:
        """Drop all of the visitor's comparisons."""
        with self._lock:
            self._visits.pop(visitor, None)

    def leave(self, visitor: str) -> None:
        """Note that the visitor closed the page: everything is dropped soon, unless the visitor comes back."""
        with self._lock:
            if visit := self._visits.get(visitor):
                visit.left = CLOCK()

    def tidy(self) -> None:
        """Drop what has not been used for long, or whose visitor has left, and what documents need the room of."""
        with self._lock:
            self._tidy()
            room = self._room()
            for visitor, _ in sorted(self._visits.items(), key=lambda item: item[1].used):
                if self.nbytes <= room:
                    break
                del self._visits[visitor]

    def _tidy(self) -> None:
        now = CLOCK()
        for visitor, visit in list(self._visits.items()):
            if now - visit.used >= self._idle or (visit.left is not None and now - visit.left >= LEFT):
                del self._visits[visitor]


def _size(comparison: Comparison) -> int:
    """Bytes that a comparison takes, about: its texts and the ids of its answers."""
    texts = [comparison.question]
    for hit in (*comparison.hits, *comparison.dropped):
        texts += [hit.passage.text, hit.passage.title, hit.passage.section, hit.passage.document, *hit.terms]
    for prompt in (comparison.prompt, *(request.prompt for request in comparison.requests)):
        texts += [prompt.before, prompt.after]
    texts += [answer.text for answer in comparison.answers]
    return sum(map(getsizeof, texts)) + 64 * sum(map(len, comparison.progress.ids)) + 4096
