"""Track which visitors are connected, so that requests of those who left can end."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

CLOCK = time.monotonic
REMEMBERED = 60.0  # seconds after which the time of leaving is forgotten


class Connections:
    """The open result streams of every visitor."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._left: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def here(self, visitor: str) -> Iterator[None]:
        """Count the visitor as connected inside this context."""
        with self._lock:
            self._open[visitor] = self._open.get(visitor, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._open[visitor] -= 1
                if not self._open[visitor]:
                    del self._open[visitor]
                    self._left.pop(visitor, None)  # the order is that in which they left
                    self._left[visitor] = CLOCK()
                while self._left and next(iter(self._left.values())) < CLOCK() - REMEMBERED:
                    del self._left[next(iter(self._left))]

    def away(self, visitor: str) -> float:
        """Return for how many seconds the visitor has had no connection; infinite if there was none recently."""
        with self._lock:
            if visitor in self._open:
                return 0.0
            return CLOCK() - self._left.get(visitor, -math.inf)
