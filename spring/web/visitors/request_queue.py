"""A fair, bounded request queue.

Whether a request is over is computed from its state: one that was ended, whose visitor has left or whose time has
passed no longer counts, even if nobody reports it, and never counts again. So no lock can stay held.
"""

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from spring.errors import BusyError

GRACE = 1.5  # seconds that a connection may be away: a page opens a new one between two answers
FIRST_CONNECTION = 10.0  # seconds that the first connection after the request may take
UNTAKEN = 60.0  # seconds after which a request that was begun and never taken is dropped
MAX_UNTAKEN = 1000  # requests that were begun: beyond that, those never taken are dropped
POLL_SECONDS = 0.2  # between two checks who is next
CLOCK = time.monotonic


@dataclass(eq=False)
class QueuedRequest:
    """One request of a visitor, from the click to its end."""

    visitor: str
    address: str
    ticket: int
    longest: float  # seconds that it may run
    away: Callable[[str], float]  # seconds for which a visitor has had no open connection
    action: str = ""  # what was started, and where its result is shown
    begun: float = field(default_factory=lambda: CLOCK())
    started: float | None = None  # when it left the queue
    is_own: bool = True  # it reads the visitor's own documents, as far as is known: it is said when it is taken
    taken: bool = False
    ended: bool = False
    discarded: bool = False  # nothing of its result may be shown: the documents it quotes were removed

    def start(self) -> None:
        """Start its time."""
        self.started = CLOCK()

    @property
    def out_of_time(self) -> bool:
        """Whether it has run as long as it may."""
        return self.started is not None and CLOCK() - self.started >= self.longest

    @property
    def is_connected(self) -> bool:
        """Whether the visitor has a connection open to read the result."""
        return self.away(self.visitor) == 0

    @property
    def is_abandoned(self) -> bool:
        """Whether the visitor has left, or never connected."""
        away, age = self.away(self.visitor), CLOCK() - self.begun
        return away > GRACE if away < age else age > FIRST_CONNECTION

    @property
    def over(self) -> bool:
        """Whether it must not go on; this stays true, as its place may be taken by now."""
        self.ended = self.ended or self.out_of_time or self.is_abandoned
        return self.ended


class RequestQueue:
    """A queue for something that few can have at a time: the model, or the reading of files.

    A visitor has one current request: a newer one ends it. An address, which visitors may share, has a bounded number
    of waiting requests. A request begins with the click, outside Gradio's own queue, so that it can be ended while it
    waits in there; Gradio's handler then takes it by its ticket.

    Args:
        longest: seconds that a request may run.
        places: how many may wait.
        per_address: how many of them from one address.
        at_once: how many run.
        away: seconds for which a visitor has had no open connection; by default everybody is connected.

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
        self._current: dict[str, QueuedRequest] = {}  # each visitor's newest request
        self._newest: OrderedDict[tuple[str, str], int] = OrderedDict()  # tickets, by visitor and action
        self._waiting: list[QueuedRequest] = []
        self._running: list[QueuedRequest] = []
        self._tickets = itertools.count(1)
        self._changed = threading.Condition()

    def begin(self, visitor: str, address: str = "", action: str = "") -> int:
        """End the visitor's current request and begin a new one; return its ticket."""
        with self._changed:
            self._end_current(visitor)
            if len(self._current) >= MAX_UNTAKEN:
                self._drop_ended()
            queued = QueuedRequest(visitor, address, next(self._tickets), self._longest, self._away, action)
            self._current[visitor] = queued
            self._newest.pop((visitor, action), None)
            self._newest[visitor, action] = queued.ticket
            if len(self._newest) > 2 * MAX_UNTAKEN:
                self._newest.popitem(last=False)
            return queued.ticket

    def take(self, visitor: str, ticket: float | None, is_own: bool = True) -> QueuedRequest | None:
        """Take the request with this ticket, which may read no documents of the visitor's own.

        Returns:
            The request; None if it has ended, or was taken before.

        """
        with self._changed:
            queued = self._current.get(visitor)
            if queued is None or queued.taken or ticket != queued.ticket:
                return None
            queued.taken, queued.is_own, queued.begun = True, is_own, CLOCK()
            return queued

    def is_superseded(self, visitor: str, action: str, ticket: float) -> bool:
        """Whether the visitor has begun the same action again since, so that an older result is no longer shown."""
        with self._changed:
            return self._newest.get((visitor, action), 0) > ticket

    def join(self, visitor: str, address: str = "") -> QueuedRequest:
        """Make a request beside the visitor's current one, already taken: programs may ask several things at once."""
        with self._changed:
            return QueuedRequest(visitor, address, next(self._tickets), self._longest, self._away, taken=True)

    def wait(self, queued: QueuedRequest) -> Iterator[int]:
        """Yield the place in the queue, 1 is the next, at once and when it changes; return when the request may run.

        It may also have ended meanwhile: check `queued.over`. Always call `finish` in the end.

        Raises:
            BusyError: the queue is full.

        """
        shown = None
        while (place := self._place(queued, shown)) is not None:
            if place not in (0, shown):
                yield place
            shown = place

    def finish(self, queued: QueuedRequest) -> None:
        """Remove a request that is done, however it ended."""
        with self._changed:
            self._remove(queued)
            if self._current.get(queued.visitor) is queued:
                del self._current[queued.visitor]
            self._changed.notify_all()

    def end(self, visitor: str, action: str = "", discard: bool = False) -> None:
        """End a visitor's requests, all of them or those of one action.

        `discard` ends only those that read the visitor's own documents, and what they would still show is not shown.
        """
        with self._changed:
            current = self._current.get(visitor)
            mine = [queued for queued in (*self._waiting, *self._running, current) if queued is not None]
            mine = [queued for queued in mine if queued.visitor == visitor and action in ("", queued.action)]
            mine = [queued for queued in mine if queued.is_own or not discard]
            for queued in mine:
                queued.discarded = queued.discarded or discard  # before it ends, as who reads it looks at that first
                queued.ended = True
            if current in mine:
                self._end_current(visitor)
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._waiting and not self._running and not self._current

    def _end_current(self, visitor: str) -> None:
        queued = self._current.pop(visitor, None)
        if queued is not None:
            queued.ended = True
            self._remove(queued)
            self._changed.notify_all()

    def _remove(self, queued: QueuedRequest) -> None:
        self._waiting = [other for other in self._waiting if other is not queued]
        self._running = [other for other in self._running if other is not queued]

    def _place(self, queued: QueuedRequest, shown: int | None) -> int | None:
        """The place, 0 while the visitor's connection is awaited, None if there is nothing to wait for.

        Those whose connection is awaited too hold nobody up, and do not count.

        Checks once: at once the first time, later after a moment or a change.
        """
        with self._changed:
            if shown is None:
                self._enter(queued)
            else:
                self._changed.wait(POLL_SECONDS)
            if queued.over or self._may_run(queued):
                return None
            before = sum(other.is_connected for other in self._waiting[: self._waiting.index(queued)])
            return 0 if not before and len(self._running) < self._at_once else before + 1

    def _enter(self, queued: QueuedRequest) -> None:
        self._drop_ended()
        if len(self._waiting) >= self._places:
            raise BusyError(f"{len(self._waiting)} visitors are waiting already: please try again in a minute.")
        if any(other.visitor == queued.visitor for other in self._waiting):
            raise BusyError("Another request of yours is waiting already: please ask again when it is answered.")
        if sum(other.address == queued.address for other in self._waiting) >= self._per_address:
            raise BusyError(
                "Another request from your network address is waiting already: please try again when it is done."
            )
        self._waiting.append(queued)

    def _drop_ended(self) -> None:
        """Remove what is over: whoever was to do so may have left."""
        self._waiting = [queued for queued in self._waiting if not queued.over]
        self._running = [queued for queued in self._running if not queued.over]
        for visitor, queued in list(self._current.items()):
            if queued.over if queued.taken else CLOCK() - queued.begun > UNTAKEN:
                del self._current[visitor]

    def _may_run(self, queued: QueuedRequest) -> bool:
        """Start the request if it is the first whose visitor is connected, and there is room."""
        self._drop_ended()
        first = next((other for other in self._waiting if other.is_connected), None)
        if len(self._running) >= self._at_once or first is not queued:
            return False
        self._waiting.remove(queued)
        queued.start()
        self._running.append(queued)
        return True
