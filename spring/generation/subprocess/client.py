"""An engine in a process of its own: when that dies, callers get an error and the model is loaded again.

A model that runs out of memory, or crashes inside a library, takes its process with it. And as Python computes in one
thread at a time, the page and the model do not wait for each other in separate processes.
"""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from spring.errors import ModelError
from spring.generation.facts import RemoteBackbone, RemoteTokens
from spring.generation.subprocess.child import DIED, Child, Mailbox
from spring.generation.subprocess.protocol import (
    Answered,
    Ask,
    Attribute,
    AttributionSnapshot,
    Command,
    Drop,
    End,
    Fit,
    Fitted,
    Next,
    Snapshot,
)
from spring.generation.types import GREEDY, Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft

STEPS_AHEAD = 2  # requested and not yet read: the model makes one while the other is on its way
PAUSE_WITHOUT_ROOM = 5.0  # seconds until a process that could not be started is tried again
LONGEST_PAUSE = 60.0  # seconds between two attempts to load


class SubprocessEngine:
    """An `Engine` whose model is loaded and run by a child process.

    Args:
        options: those of `generation.load_engine`, as JSON takes them.

    Raises:
        SpringError: the model cannot be loaded.

    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._ids = itertools.count(1)
        self._closed = False
        self._child = Child(options)
        ready = self._child.ready.result()
        self.backbone = RemoteBackbone(ready.backbone, ready.precision, ready.precision_reason, ready.context_length)
        self.tokens = RemoteTokens(ready.virtual_tokens, ready.hidden, ready.learned)
        self.device = ready.device
        threading.Thread(target=self._watch, name="model watch", daemon=True).start()

    @property
    def pid(self) -> int:
        """The child process."""
        return self._child.process.pid

    @property
    def rows_at_once(self) -> int:
        """A few: the page runs small batches."""
        return 16

    @property
    def ready(self) -> bool:
        """Whether the model is loaded.

        Raises:
            SpringError: it was lost, and loading it again has just failed; another attempt follows.

        """
        child = self._child
        if child.ended.is_set() and (why := child.ready.exception()):
            raise why
        return child.loaded

    def fit(self, draft: PromptDraft) -> int:
        """As `LocalEngine.fit`, in one message.

        Raises:
            ModelError: the process died.
            PromptError: as `LocalEngine.fit`.

        """
        id, child = next(self._ids), self._loaded()
        with Mailbox(child, id) as mailbox:
            child.send(Fit(id, draft))
            report = mailbox.get()
            assert isinstance(report, Fitted)
            return report.kept

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """As `LocalEngine.stream`; steps are requested while the caller has those before.

        Raises:
            ModelError: the process died, or there is not enough memory.
            PromptError: as `LocalEngine.stream`.

        """
        for report in self._steps(lambda id: Ask(id, tuple(requests), options)):
            assert isinstance(report, Snapshot)
            yield report.progress

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """As `LocalEngine.attribute`; steps are requested while the caller has those before.

        Raises:
            ModelError: the process died, or there is not enough memory.
            PromptError: as `LocalEngine.attribute`.

        """
        for report in self._steps(lambda id: Attribute(id, draft, tuple(map(tuple, ids)))):
            assert isinstance(report, AttributionSnapshot)
            yield report.attribution

    def _steps(self, begin: Callable[[int], Command]) -> Iterator[Answered]:
        """The reports on a stream, of which the first command is made from its id."""
        id, child = next(self._ids), self._loaded()
        with Mailbox(child, id) as mailbox:
            child.send(begin(id))
            for _ in range(STEPS_AHEAD):
                child.send(Next(id))
            try:
                while not isinstance(report := mailbox.get(), End):
                    child.send(Next(id))
                    yield report
            finally:
                child.send(Drop(id))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._child.kill()

    def _loaded(self) -> "Child":
        """The child, when it has loaded the model."""
        while (child := self._child).ended.is_set():
            if self._closed:
                raise ModelError(DIED)
            time.sleep(0.05)  # until `_watch` has started the next one
        child.ready.result()
        return child

    def _watch(self) -> None:
        """Start the process again whenever it has ended."""
        pause = 0.0
        while True:
            self._child.ended.wait()
            if self._closed:
                return
            # One that ended before it could answer is unlikely to do better at once.
            why = self._child.ready.exception()
            pause = min(2 * pause + 1, LONGEST_PAUSE) if why else 0.0
            print(f"The model's process ended; it is started again in {pause:.0f} s. {why or ''}", file=sys.stderr)
            time.sleep(pause)
            while not self._closed:
                try:
                    self._child = Child(self._options)
                    if self._closed:  # meanwhile: `close` has killed the one before
                        self._child.kill()
                    break
                except OSError:  # no memory or file handles for one more process
                    time.sleep(PAUSE_WITHOUT_ROOM)
