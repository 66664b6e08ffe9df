"""Which comparison of each visitor goes on: one at a time."""

import threading


class Turns:
    """Which comparison of each visitor is the current one: a newer one, or Stop, ends the one before.

    A turn begins when the visitor asks, outside the queue, so that it can end while it still waits in the queue.
    """

    def __init__(self) -> None:
        self._current: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def begin(self, visitor: str) -> None:
        """End the visitor's comparison and begin a new one."""
        with self._lock:
            self._end(visitor)
            self._current[visitor] = threading.Event()

    def current(self, visitor: str) -> threading.Event | None:
        """The event that is set when the visitor's comparison should end; None if it has ended."""
        with self._lock:
            return self._current.get(visitor)

    def end(self, visitor: str) -> None:
        """End the visitor's comparison, if there is one."""
        with self._lock:
            self._end(visitor)

    def _end(self, visitor: str) -> None:
        if event := self._current.pop(visitor, None):
            event.set()
