"""What of each visitor goes on: one thing at a time."""

import itertools
import threading


class Turns:
    """Which of a visitor's requests is the current one: a newer one, or Stop, ends the one before.

    A turn begins when the visitor asks, outside the queue, so that it can end while it still waits in the queue. What
    comes out of the queue then takes its own turn by the ticket, not the turn of a newer request behind it.
    """

    def __init__(self) -> None:
        self._current: dict[str, tuple[int, threading.Event]] = {}
        self._tickets = itertools.count(1)
        self._lock = threading.Lock()

    def begin(self, visitor: str) -> int:
        """End what the visitor has going on and begin a new turn; returns its ticket."""
        with self._lock:
            self._end(visitor)
            ticket = next(self._tickets)
            self._current[visitor] = ticket, threading.Event()
            return ticket

    def take(self, visitor: str, ticket: float | None) -> threading.Event | None:
        """The event that is set when this turn should end; None if it has ended, or was taken before."""
        with self._lock:
            current, event = self._current.get(visitor, (0, None))
            if event is None or not ticket or ticket != current:
                return None
            self._current[visitor] = 0, event  # no ticket is 0: it can end, but not be taken again
            return event

    def end(self, visitor: str) -> None:
        """End what the visitor has going on, if there is anything."""
        with self._lock:
            self._end(visitor)

    def _end(self, visitor: str) -> None:
        _, event = self._current.pop(visitor, (0, None))
        if event is not None:
            event.set()
