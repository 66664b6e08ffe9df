"""Requests on an event loop of their own, read from any thread."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")
POLL_SECONDS = 0.2  # at most between two looks of a caller, who may want to stop


class EventLoop:
    """A thread that runs coroutines for all others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(
            loop_factory=lambda: self._loop
        ) as runner:  # it lets what still runs end, and close its sockets
            runner.get_loop().run_forever()

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin a coroutine; to cancel the future cancels it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End the thread; what still runs is cancelled."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Streams(Generic[T]):
    """Several streams of pieces at once; leaving it as a context ends them.

    Args:
        loop: runs them.
        sources: the streams.

    """

    def __init__(self, loop: EventLoop, sources: Sequence[AsyncIterator[T]]) -> None:
        self._inbox: queue.SimpleQueue[tuple[int, T | None, BaseException | None]] = queue.SimpleQueue()
        self._running = {place: loop.start(self._read(place, source)) for place, source in enumerate(sources)}
        for place, future in list(self._running.items()):
            future.add_done_callback(lambda done, place=place: self._ended(place, done))  # type: ignore[misc]

    def __enter__(self) -> "Streams[T]":
        return self

    def __exit__(self, *_: object) -> None:
        for place in list(self._running):
            self.end(place)

    def end(self, place: int) -> None:
        """End one stream."""
        if future := self._running.pop(place, None):
            future.cancel()

    def leave(self, place: int) -> None:
        """Wait no longer for a stream that has nothing more to say, and let it end by itself."""
        self._running.pop(place, None)

    def pieces(self) -> Iterator[list[tuple[int, T]]]:
        """The pieces that have come since the last look, with their stream's place, until all streams have ended.

        The list is empty where nothing has come for a moment.

        Raises:
            SpringError: a stream failed that was neither ended nor left.

        """
        while self._running:
            try:
                entries = [self._inbox.get(timeout=POLL_SECONDS)]
                while not self._inbox.empty():
                    entries.append(self._inbox.get())
            except queue.Empty:
                entries = []
            yield [(place, piece) for place, piece, _ in entries if piece is not None]
            for place, piece, error in entries:
                if piece is None and place in self._running:
                    del self._running[place]
                    if error is not None:
                        raise error

    async def _read(self, place: int, source: AsyncIterator[T]) -> None:
        async for piece in source:
            self._inbox.put((place, piece, None))

    def _ended(self, place: int, done: "Future[None]") -> None:
        if not done.cancelled():
            self._inbox.put((place, None, done.exception()))
