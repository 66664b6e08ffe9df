"""What all tabs and the API share: the model, the request queues, and the visitors' documents.

The page is served before the model is loaded, so nothing here imports torch.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from spring.errors import SpringError
from spring.generation.interface import Engine
from spring.rag.library import Library
from spring.settings import AppSettings
from spring.web.html.status import queue_line
from spring.web.visitors.blind_tests import BlindTests
from spring.web.visitors.connections import Connections
from spring.web.visitors.documents import VisitorDocuments
from spring.web.visitors.history import History
from spring.web.visitors.request_queue import POLL_SECONDS, QueuedRequest, RequestQueue
from spring.web.visitors.sessions import Sessions
from spring.web.visitors.uploads import Uploads

LOADING = "The model is still loading; the answer follows as soon as it is ready."
HISTORY_SHARE = 8  # of the memory for visitors, the most that their comparisons may take
READING_SECONDS = 300.0  # the longest that reading the files of one visitor may take


class Shared:
    """The model, its request queue, the queue for reading files, and the documents.

    Args:
        engine: what answers, once it is loaded.
        samples: the sample collections.
        settings: every limit; by default those of an empty environment.
        connections: which visitors are connected; by default all are.
        uploads: uploaded files on disk.

    """

    def __init__(
        self,
        engine: "Future[Engine]",
        samples: Sequence[Library],
        settings: AppSettings | None = None,
        connections: Connections | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self._engine = engine
        self.settings = settings or AppSettings.from_environment({})
        self._away = connections.away if connections else lambda visitor: 0.0
        self._queues: list[RequestQueue] = []
        self.queue = self.new_queue(self.settings.answer_seconds, at_once=self.settings.comparisons_at_once)
        self.reading = self.new_queue(READING_SECONDS, at_once=self.settings.limits.children)
        megabyte = 2**20
        self.sessions = Sessions(
            self.settings.idle_minutes * 60,
            self.settings.session_megabytes * megabyte,
            self.settings.sessions_megabytes * megabyte,
        )
        total = self.settings.sessions_megabytes * megabyte
        self.history = History(
            self.settings.idle_minutes * 60, lambda: min(total // HISTORY_SHARE, total - self.sessions.nbytes)
        )
        self.blind_tests: BlindTests[Any] = BlindTests()
        self.documents = VisitorDocuments(samples, self.sessions, uploads, self.settings.limits)

    def new_queue(self, longest: float, at_once: int = 1) -> RequestQueue:
        """Make a queue of the length that the settings allow; a visitor who leaves is removed from it.

        Args:
            longest: seconds that one request may run.
            at_once: requests that run at the same time.

        """
        queue = RequestQueue(longest, self.settings.waiting, self.settings.waiting_per_address, at_once, self._away)
        self._queues.append(queue)
        return queue

    @property
    def engine(self) -> Engine:
        """The model; waits until it is loaded.

        Raises:
            SpringError: it could not be loaded.

        """
        return self._engine.result()

    @property
    def is_settled(self) -> bool:
        """Whether the model has been loaded, or has failed to load."""
        return self._engine.done()

    @property
    def is_ready(self) -> bool:
        """Whether the model can answer at once, or never will.

        Raises:
            SpringError: it was lost, and could not be loaded again just now.

        """
        return self._engine.done() and (self._engine.exception() is not None or self._engine.result().ready)

    def wait(self, request: QueuedRequest, queue: RequestQueue | None = None) -> Iterator[str]:
        """Wait in a queue, the model's by default, and for the model; yield a sentence whenever there is news.

        Loading the model does not count towards the request's time.

        Raises:
            BusyError: the queue is full.
            RequestStopped: the request was over before it could run.
            SpringError: the model could not be loaded.

        """
        for place in (self.queue if queue is None else queue).wait(request):
            yield queue_line(place)
        if not request.over and not self.is_ready:
            yield LOADING
        while not request.over and not self.is_ready:
            request.start()
            time.sleep(POLL_SECONDS)
        if request.over:
            raise RequestStopped
        self._engine.result()
        request.start()

    def ending(self, request: QueuedRequest) -> str:
        """Why a request was over before its answer was complete; empty if it was not."""
        if request.out_of_time:
            return f"Stopped after {self.settings.answer_seconds} seconds, the limit for one answer; the text is kept."
        return "Stopped." if request.over else ""

    def remove_documents(self, visitor: str) -> None:
        """Drop a visitor's documents and all that quotes them, on every page that has them; what reads them ends."""
        pages = self.sessions.pages(visitor)
        for queue in self._queues:
            for page in pages:
                queue.end(page, discard=True)
        self.sessions.forget(visitor)
        for page in pages:
            self.blind_tests.forget_own(page)
            self.history.forget_own(page)

    def leave(self, visitor: str) -> None:
        """End everything of a visitor who closed the page or lost the connection."""
        for queue in self._queues:
            queue.end(visitor)
        self.sessions.leave(visitor)
        self.history.leave(visitor)
        self.blind_tests.leave(visitor)


class RequestStopped(SpringError):
    """A request was over before there was anything to show."""

    def __init__(self) -> None:
        super().__init__("Stopped.")
