"""Who is answered when: one visitor after the other, a bounded number of them, and nobody keeps others waiting.

Whether a turn is over is looked up: a turn that was ended, whose visitor is gone or whose time has passed no longer
counts, even if nobody ever says so, and never counts again. So there is no lock that could stay held.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from spring.errors import BusyError

GRACE = 1.5  # seconds that a visitor's connection may be away: a page opens another one between two answers
COMING = 10.0  # seconds that the first connection after the asking may take
FORGOTTEN = 60.0  # seconds after which a turn that was begun and never taken is none
MANY = 1000  # turns that were begun: those who begin and never take are let go of
LOOK_AGAIN = 0.2  # seconds between two looks at who is next
CLOCK = time.monotonic


@dataclass(eq=False)
class QueuedRequest:
    """One request of a visitor, from the asking to its end."""

    visitor: str
    address: str
    ticket: int
    longest: float  # seconds that it may take once it runs
    away: Callable[[str], float]  # seconds for which a visitor has had no open connection
    tab: str = ""  # where its answer is shown
    begun: float = field(default_factory=lambda: CLOCK())
    started: float | None = None  # when it came out of the queue
    taken: bool = False
    ended: bool = False
    replaced: bool = False  # a newer one is shown in its place

    def start(self) -> None:
        """Its time begins now."""
        self.started = CLOCK()

    @property
    def out_of_time(self) -> bool:
        """Whether it has run as long as it may."""
        return self.started is not None and CLOCK() - self.started >= self.longest

    @property
    def is_here(self) -> bool:
        """Whether somebody is connected to read what it says."""
        return self.away(self.visitor) == 0

    @property
    def is_away(self) -> bool:
        """Whether that somebody has left, or never came."""
        away, age = self.away(self.visitor), CLOCK() - self.begun
        return away > GRACE if away < age else age > COMING

    @property
    def over(self) -> bool:
        """Whether it should go no further; then it stays so, as its place may be another's by now."""
        self.ended = self.ended or self.out_of_time or self.is_away
        return self.ended


class RequestQueue:
    """The queue of one thing that few can have at a time: the model, or the reading of files.

    A visitor has one turn: a newer one ends the one before. An address, which many visitors may share, has a bounded
    number of turns that wait. A turn begins when the visitor asks, outside Gradio's queue, so that it can end
    while it still waits in there; what comes out of it then takes its own turn by the ticket.

    Args:
        longest: seconds that a turn may run.
        places: how many may wait.
        per_address: how many of them from one address.
        at_once: how many run.
        away: seconds for which a visitor has had no open connection; by default everybody is there.

    """

    def __init__(
        self,
        longest: float = 120.0,
        places: int = 32,
        per_address: int = 1,
        at_once: int = 1,
        away: Callable[[str], float] = lambda visitor: 0.0,
    ) -> None:
        self._longest, self._places, self._per_address, self._at_once = longest, places, per_address, at_once
        self._away = away
        self._current: dict[str, QueuedRequest] = {}  # each visitor's newest turn
        self._waiting: list[QueuedRequest] = []
        self._running: list[QueuedRequest] = []
        self._tickets = itertools.count(1)
        self._changed = threading.Condition()

    def begin(self, visitor: str, address: str = "", tab: str = "") -> int:
        """End what the visitor has going on and begin a new turn; returns its ticket."""
        with self._changed:
            if before := self._end(visitor):
                before.replaced = before.tab == tab
            if len(self._current) >= MANY:
                self._tidy()
            turn = QueuedRequest(visitor, address, next(self._tickets), self._longest, self._away, tab)
            self._current[visitor] = turn
            return turn.ticket

    def take(self, visitor: str, ticket: float | None) -> QueuedRequest | None:
        """The turn with this ticket; None if it has ended, or was taken before."""
        with self._changed:
            turn = self._current.get(visitor)
            if turn is None or turn.taken or ticket != turn.ticket:
                return None
            turn.taken, turn.begun = True, CLOCK()
            return turn

    def has(self, visitor: str, tab: str) -> bool:
        """Whether something that the visitor asked on this tab is going on."""
        with self._changed:
            turn = self._current.get(visitor)
            return turn is not None and turn.tab == tab

    def join(self, visitor: str, address: str = "") -> QueuedRequest:
        """A turn beside the visitor's others, already taken: for programs, which may ask several things at once."""
        with self._changed:
            return QueuedRequest(visitor, address, next(self._tickets), self._longest, self._away, taken=True)

    def wait(self, turn: QueuedRequest) -> Iterator[int]:
        """Yield the turn's place in the queue, 1 is the next, at once and when it changes; return when it may run.

        It may also have ended meanwhile: look at `turn.over`. Call `finish` in the end, whatever happens.

        Raises:
            BusyError: there is no place to wait in.

        """
        shown = None
        while (place := self._place(turn, shown)) is not None:
            if place not in (0, shown):
                yield place
            shown = place

    def finish(self, turn: QueuedRequest) -> None:
        """The turn is done, however it went."""
        with self._changed:
            self._forget(turn)
            if self._current.get(turn.visitor) is turn:
                del self._current[turn.visitor]
            self._changed.notify_all()

    def end(self, visitor: str) -> None:
        """End all that the visitor has going on, if there is anything."""
        with self._changed:
            self._end(visitor)
            for turn in (*self._waiting, *self._running):
                if turn.visitor == visitor:
                    turn.ended = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._waiting and not self._running and not self._current

    def _end(self, visitor: str) -> QueuedRequest | None:
        turn = self._current.pop(visitor, None)
        if turn is not None:
            turn.ended = True
            self._forget(turn)
            self._changed.notify_all()
        return turn

    def _forget(self, turn: QueuedRequest) -> None:
        self._waiting = [other for other in self._waiting if other is not turn]
        self._running = [other for other in self._running if other is not turn]

    def _place(self, turn: QueuedRequest, shown: int | None) -> int | None:
        """The turn's place, 0 if it waits for its own visitor to connect, None if it need not wait any more.

        Looks once, after a moment if it has looked before.
        """
        with self._changed:
            if shown is None:
                self._enter(turn)
            else:
                self._changed.wait(LOOK_AGAIN)
            if turn.over or self._may_run(turn):
                return None
            place = self._waiting.index(turn)
            return 0 if not place and len(self._running) < self._at_once else place + 1

    def _enter(self, turn: QueuedRequest) -> None:
        self._tidy()
        if len(self._waiting) >= self._places:
            raise BusyError(f"{len(self._waiting)} visitors are waiting already: please try again in a minute.")
        if any(other.visitor == turn.visitor for other in self._waiting):
            raise BusyError("Another request of yours is waiting already: please ask again when it is answered.")
        if sum(other.address == turn.address for other in self._waiting) >= self._per_address:
            raise BusyError(
                "Another request from your network address is waiting already: please try again when it is done."
            )
        self._waiting.append(turn)

    def _tidy(self) -> None:
        """Let go of what is over: whoever was to do so may be gone."""
        self._waiting = [turn for turn in self._waiting if not turn.over]
        self._running = [turn for turn in self._running if not turn.over]
        for visitor, turn in list(self._current.items()):
            if turn.over if turn.taken else CLOCK() - turn.begun > FORGOTTEN:
                del self._current[visitor]

    def _may_run(self, turn: QueuedRequest) -> bool:
        """Whether the turn is the first of those whose visitor is there, and there is room; if so it runs."""
        self._tidy()
        first = next((other for other in self._waiting if other.is_here), None)
        if len(self._running) >= self._at_once or first is not turn:
            return False
        self._waiting.remove(turn)
        turn.start()
        self._running.append(turn)
        return True
