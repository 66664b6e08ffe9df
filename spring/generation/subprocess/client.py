"""An engine in a process of its own: when that dies, callers get an error and the model is loaded again.

A model that runs out of memory, or crashes inside a library, takes its process with it. And as Python computes in one
thread at a time, the page and the model do not wait for each other in separate processes.
"""

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from spring import errors
from spring.errors import ModelError, SpringError
from spring.generation.subprocess.protocol import (
    Answered,
    Ask,
    Attribute,
    AttributionSnapshot,
    Command,
    Drop,
    End,
    Failed,
    Fit,
    Fitted,
    Next,
    Ready,
    Refused,
    Snapshot,
    read_report,
    send_command,
)
from spring.generation.types import GREEDY, Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft

DIED = "The model has stopped unexpectedly and is being loaded again: please ask again."
ROOT = Path(__file__).parents[3]
STUCK_SECONDS = 180.0  # a step that takes longer is taken to hang
PAUSE_WITHOUT_ROOM = 5.0  # seconds until a process that could not be started is tried again
LONGEST_PAUSE = 60.0  # seconds between two attempts to load


@dataclass(frozen=True, slots=True)
class RemoteBackbone:
    """Facts about the child's backbone."""

    name: str
    precision: str
    context_length: int


@dataclass(frozen=True, slots=True)
class RemoteTokens:
    """Facts about the child's virtual tokens."""

    number: int
    hidden: int
    learned: str

    def __len__(self) -> int:
        return self.number


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
        self._child = _Child(options)
        ready = self._child.ready.result()
        self.backbone = RemoteBackbone(ready.backbone, ready.precision, ready.context_length)
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
        with _Mailbox(child, id) as mailbox:
            child.send(Fit(id, draft))
            report = mailbox.get()
            assert isinstance(report, Fitted)
            return report.kept

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """As `LocalEngine.stream`; each step is requested while the caller has the one before.

        Raises:
            ModelError: the process died, or there is not enough memory.
            PromptError: as `LocalEngine.stream`.

        """
        for report in self._steps(lambda id: Ask(id, tuple(requests), options)):
            assert isinstance(report, Snapshot)
            yield report.progress

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """As `LocalEngine.attribute`; each step is requested while the caller has the one before.

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
        with _Mailbox(child, id) as mailbox:
            child.send(begin(id))
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

    def _loaded(self) -> "_Child":
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
                    self._child = _Child(self._options)
                    break
                except OSError:  # no memory or file handles for one more process
                    time.sleep(PAUSE_WITHOUT_ROOM)


class _Child:
    """One process and the reports that callers wait for."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._connection, theirs = Pipe()
        command = [
            sys.executable,
            "-m",
            "spring.generation.subprocess.server",
            str(theirs.fileno()),
            json.dumps(options),
        ]
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            start_new_session=True,  # Ctrl-C goes to the server only; the child exits when that does
        )
        theirs.close()
        self.ready: Future[Ready] = Future()
        self.ended = threading.Event()
        self._sending = threading.Lock()  # its own: a command that blocks must not hold up the reports
        self._lock = threading.Lock()
        self._boxes: dict[int, queue.SimpleQueue[Answered]] = {}
        threading.Thread(target=self._listen, name="model reports", daemon=True).start()

    @property
    def loaded(self) -> bool:
        """Whether the model is loaded and the process runs."""
        return self.ready.done() and self.ready.exception() is None and not self.ended.is_set()

    def send(self, command: Command) -> None:
        """Send a command, unless the process has ended; its mailboxes report that."""
        with self._sending:
            if not self.ended.is_set():
                try:
                    send_command(self._connection, command)
                except OSError:  # `_listen` will notice too
                    return

    def open(self, id: int) -> "queue.SimpleQueue[Answered]":
        """A mailbox for the reports on `id`."""
        box: queue.SimpleQueue[Answered] = queue.SimpleQueue()
        with self._lock:
            self._boxes[id] = box
            if self.ended.is_set():
                box.put(Failed(id, "ModelError", DIED))
        return box

    def close(self, id: int) -> None:
        """Close the mailbox of `id`."""
        with self._lock:
            self._boxes.pop(id, None)

    def kill(self) -> None:
        """End the process now."""
        self.process.kill()

    def _listen(self) -> None:
        """Distribute the reports to the mailboxes until the process ends."""
        while True:
            try:
                report = read_report(self._connection)
            except (EOFError, OSError, ValueError):  # the process is gone, or sent an invalid report
                break
            if isinstance(report, Ready):
                self.ready.set_result(report)
            elif isinstance(report, Refused):
                self.ready.set_exception(_error(report))
            else:
                with self._lock:
                    box = self._boxes.get(report.id)
                if box is not None:
                    box.put(report)
        self.process.kill()
        self.process.wait()
        with self._sending, self._lock:
            self.ended.set()
            self._connection.close()
            for id, box in self._boxes.items():
                box.put(Failed(id, "ModelError", DIED))
        if not self.ready.done():
            self.ready.set_exception(ModelError("The model's process ended while the model was loading."))


class _Mailbox:
    """The reports of a child on one id, while the context is open."""

    def __init__(self, child: _Child, id: int) -> None:
        self._child, self._id = child, id

    def __enter__(self) -> "_Mailbox":
        self._box = self._child.open(self._id)
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(self._id)

    def get(self) -> Answered:
        """The next report; raises the error that it holds."""
        try:
            report = self._box.get(timeout=STUCK_SECONDS)
        except queue.Empty:
            self._child.kill()
            raise ModelError(DIED) from None
        if isinstance(report, Failed):
            raise _error(report)
        return report


def _error(report: Failed | Refused) -> SpringError:
    """The error that a report holds."""
    kind = getattr(errors, report.error, ModelError)
    assert issubclass(kind, SpringError)
    return kind(report.message)
