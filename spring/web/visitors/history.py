"""Keep the comparisons of each visitor for a while, so that they can be explained, shown again and exported.

Nothing is asked for: what is kept takes the memory that documents leave free, and without room it is not kept.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from sys import getsizeof

from spring.generation.comparison import ALL_LEFT_OUT, Comparison
from spring.rag.retriever import Hit
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
    found: tuple[Hit, ...] = ()  # the passages that the visitor chose from, if the question was asked again

    @property
    def edited(self) -> tuple[Hit, ...]:
        """Passages that do not say what their document says, as the visitor has changed them."""
        return tuple(hit for hit in self.comparison.hits if self.found and hit not in self.found)

    @property
    def left_out(self) -> tuple[Hit, ...]:
        """Passages that the visitor has left out."""
        used = {hit.rank for hit in (*self.comparison.hits, *self.comparison.dropped)}
        return tuple(hit for hit in self.found if hit.rank not in used)

    @property
    def notes(self) -> tuple[str, ...]:
        """What one should know about the passages, a sentence each."""
        return (ALL_LEFT_OUT,) if self.found and not self.comparison.hits else self.comparison.notes


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
        self,
        visitor: str,
        comparison: Comparison,
        golden: Sequence[str] = (),
        is_own: bool = False,
        address: str = "",
        found: Sequence[Hit] = (),
    ) -> int:
        """Keep a comparison that is complete; the visitor's oldest ones make room for it.

        Returns:
            Its number; 0 if there is no room for it.

        """
        nbytes = _size(comparison, found)
        entry = Kept(next(self._numbers), comparison, tuple(golden), is_own, nbytes, tuple(found))
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


def _size(comparison: Comparison, found: Sequence[Hit] = ()) -> int:
    """Bytes that a comparison takes, about: its texts and the ids of its answers."""
    texts = [comparison.question]
    for hit in (*comparison.hits, *comparison.dropped, *found):
        texts += [hit.passage.text, hit.passage.title, hit.passage.section, hit.passage.document, *hit.terms]
    for prompt in (comparison.prompt, *(request.prompt for request in comparison.requests)):
        texts += [prompt.before, prompt.after]
    texts += [answer.text for answer in comparison.answers]
    return sum(map(getsizeof, texts)) + 64 * sum(map(len, comparison.progress.ids)) + 4096
