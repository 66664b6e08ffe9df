"""The model's process as its parent sees it: commands go in, and reports come out into mailboxes."""

import json
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import Future
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from spring import errors
from spring.errors import ModelError, SpringError
from spring.generation.subprocess.protocol import (
    Answered,
    Command,
    Failed,
    Ready,
    Refused,
    read_report,
    send_command,
)
from spring.settings import SHORT_SPINS

DIED = "The model has stopped unexpectedly and is being loaded again: please ask again."
ROOT = Path(__file__).parents[3]
STUCK_SECONDS = 180.0  # a step that takes longer is taken to hang


class Child:
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
            env={**SHORT_SPINS, **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
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


class Mailbox:
    """The reports of a child on one id, while the context is open."""

    def __init__(self, child: Child, id: int) -> None:
        self._child, self._id = child, id

    def __enter__(self) -> "Mailbox":
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
