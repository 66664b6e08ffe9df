"""Serve a model from a process of its own: `python -m spring.generation.subprocess.server CONNECTION OPTIONS`.

`spring.generation.subprocess.client` starts it. It makes one step of a stream per `Next`, alternating between streams,
and exits when its client does.
"""

import gc
import json
import os
import queue
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection

from spring.errors import SpringError
from spring.generation.interface import Engine
from spring.generation.subprocess.protocol import (
    Ask,
    Attribute,
    AttributionSnapshot,
    Command,
    Drop,
    End,
    Failed,
    Fit,
    Fitted,
    Ready,
    Refused,
    Report,
    Snapshot,
    read_command,
    send_report,
)
from spring.generation.types import Attribution, Progress

UNEXPECTED = "The model failed on this question; please ask again."


class ModelServer:
    """Executes the commands of one connection."""

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self._connection, self._engine = connection, engine
        self._sending = threading.Lock()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._streams: dict[int, Iterator[Progress | Attribution]] = {}
        self._wanted: deque[int] = deque()  # streams with a requested step; first in, first out
        # In a future whatever work raises, a tokenizer's panic too, becomes a report, and the process goes on.
        self._steps = ThreadPoolExecutor(1, thread_name_prefix="step")
        self._fitting = ThreadPoolExecutor(1, thread_name_prefix="fit")

    def run(self) -> None:
        """Serve until the process ends."""
        engine = self._engine
        backbone, tokens = engine.backbone, engine.tokens
        facts = (backbone.name, backbone.precision, backbone.precision_reason, backbone.context_length, engine.device)
        self._send(Ready(*facts, len(tokens), tokens.hidden, tokens.learned))
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        while True:
            self._obey()
            if self._wanted:
                self._step(self._wanted.popleft())

    def _listen(self) -> None:
        """Receive commands, also during a step; exit when the server is gone."""
        while True:
            try:
                command = read_command(self._connection)
            except (EOFError, OSError, ValueError, SpringError):
                os._exit(0)  # at once, whatever the model is doing
            if isinstance(command, Fit):  # needs only the tokenizer, so it need not wait for a step
                fitted = self._fitting.submit(self._engine.fit, command.draft)
                error = fitted.exception()
                self._send(_failed(command.id, error) if error else Fitted(command.id, fitted.result()))
            else:
                self._commands.put(command)

    def _obey(self) -> None:
        """Execute all commands received so far; wait for one if no step is requested."""
        while not self._wanted or not self._commands.empty():
            command = self._commands.get()
            if isinstance(command, Ask | Attribute):
                self._begin(command)
            elif isinstance(command, Drop):
                self._streams.pop(command.id, None)
            elif command.id in self._streams:
                self._wanted.append(command.id)

    def _begin(self, command: Ask | Attribute) -> None:
        begun: Future[Iterator[Progress | Attribution]]
        if isinstance(command, Ask):
            begun = self._steps.submit(self._engine.stream, command.requests, command.options)
        else:
            begun = self._steps.submit(self._engine.attribute, command.draft, command.ids)
        if error := begun.exception():
            self._send(_failed(command.id, error))
        else:
            self._streams[command.id] = begun.result()

    def _step(self, id: int) -> None:
        """Make one step of a stream; an error ends that stream only."""
        stream = self._streams.get(id)
        if stream is None:  # dropped in the meantime
            return
        step = self._steps.submit(next, stream, None)
        error = step.exception()
        snapshot = None if error else step.result()
        if snapshot is not None:
            if isinstance(snapshot, Progress):
                self._send(Snapshot(id, snapshot))
            else:
                self._send(AttributionSnapshot(id, snapshot))
            return
        del self._streams[id]
        self._send(_failed(id, error) if error else End(id))

    def _send(self, report: Report) -> None:
        with self._sending:
            try:
                send_report(self._connection, report)
            except OSError:
                os._exit(0)


def _failed(id: int, error: BaseException) -> Failed:
    if isinstance(error, SpringError):
        return Failed(id, type(error).__name__, str(error))
    traceback.print_exception(error)
    return Failed(id, "ModelError", UNEXPECTED)


def main() -> None:
    """Load the model that the options name, and serve."""
    connection = Connection(int(sys.argv[1]))
    gc.disable()  # what is imported and loaded stays; looking for garbage in it takes a sixth of the start
    from spring.generation.engine import load_engine  # torch takes seconds

    try:
        engine = load_engine(**json.loads(sys.argv[2]))
    except SpringError as error:
        send_report(connection, Refused(type(error).__name__, str(error)))
        return
    gc.freeze()
    gc.enable()
    ModelServer(connection, engine).run()


if __name__ == "__main__":
    main()
