"""Run a job on strangers' files in a child process with limits, which may be killed: the parent's side.

A child is a fresh interpreter that runs `spring.data.sandbox.child`. It takes requests as lines of JSON and answers
with frames of bytes; nothing that it sends can run code here, and no more of it is read than was agreed. Whatever
goes wrong costs the request alone: the next one gets a new child.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any

from spring.settings import READING_LIMITS, ReadingLimits

DAMAGED = "it could not be read and is probably damaged; save it again"
TOO_SLOW = "reading it takes too long; save it again, or give a smaller part of it"
TOO_BIG = "reading it takes too much memory; save it again, or give a smaller part of it"
NO_TIME_LEFT = "there was no time left to read it; upload fewer files at once"
BUSY = "the files of other visitors are being read; try again in a minute"
STOPPED = "stopped before it was read"
NOT_STARTED = "the process that reads files does not start; please tell who runs this page, whose log says why"

CHILD = "spring.data.sandbox.child"
MEMORY_EXIT = 77  # the child's exit code after a MemoryError
ANSWERED, REFUSED = 0, 1  # the first byte of a frame; then 8 bytes of length, then the answer or the refusal
_HEADER = 9
READY = bytes([ANSWERED]) + bytes(8)
_LONGEST_REFUSAL = 4_000  # bytes
_TO_END = 1.0  # seconds that a child has to end after the last that it says
_GLANCE = 0.05  # seconds between two looks at the visitor's Stop
# Not the rest of the environment: on a Space it holds the owner's secrets.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "HOME")

_places = threading.BoundedSemaphore(READING_LIMITS.children)


class SandboxError(Exception):
    """Why a request has no answer: what was wrong with the file and what to do, to be put after its name."""


class FileRefused(SandboxError):
    """The child's own words on what is wrong with the file."""


class _Death(SandboxError):
    """The child ended by itself."""


class ReadingStopped(SandboxError):
    """The visitor pressed Stop or left."""


class Sandbox:
    """Answers requests out of a child process, one at a time; a context, which leaves no process behind.

    job: what the child does, `module:function` of a `child.Job`. stop: whether the visitor wants no more.
    """

    def __init__(
        self, job: str, limits: ReadingLimits = READING_LIMITS, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._job, self._limits, self._stop = job, limits, stop
        self._process: subprocess.Popen[bytes] | None = None
        self._end = 0.0

    def __enter__(self) -> "Sandbox":
        """Wait for a place.

        Raises:
            SandboxError: there is none in time, or the visitor has left.

        """
        self._end = time.monotonic() + self._limits.upload_seconds
        while not _places.acquire(timeout=_GLANCE):
            self._check(self._end, BUSY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()
        _places.release()

    def ask(self, request: Mapping[str, Any]) -> bytes:
        """The child's answer.

        Raises:
            SandboxError: the child refuses, fails or overruns a limit.

        """
        if time.monotonic() > self._end:
            raise SandboxError(NO_TIME_LEFT)
        deadline = min(self._end, time.monotonic() + self._limits.file_seconds)
        try:
            if self._process is None:
                try:
                    self._process = self._start()
                except OSError as error:  # no memory or no place for one more process
                    print(f"The process that reads files does not start: {error}", file=sys.stderr, flush=True)
                    raise SandboxError(NOT_STARTED) from error
                self._await_start(self._process, deadline)
            self._send(self._process, json.dumps(request).encode() + b"\n")
            status, size = self._header(self._receive(self._process, _HEADER, deadline))
            answer = self._receive(self._process, size, deadline)
        except SandboxError:
            self._kill()
            raise
        if status == REFUSED:
            raise FileRefused(answer.decode("utf-8", "replace"))
        return answer

    def _start(self) -> "subprocess.Popen[bytes]":
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
        environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, self._job, json.dumps(asdict(self._limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=environment,
            start_new_session=True,  # a group of its own, so that its children are killed with it
        )

    def _await_start(self, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        """An empty answer says that the child is ready; a child that ends before that is not the file's fault."""
        try:
            self._receive(process, len(READY), deadline)
        except _Death as death:
            raise SandboxError(NOT_STARTED) from death

    def _send(self, process: "subprocess.Popen[bytes]", line: bytes) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(line)  # a path, which is shorter than a pipe's buffer
        except BrokenPipeError:
            raise self._death() from None

    def _header(self, header: bytes) -> tuple[int, int]:
        status, size = header[0], int.from_bytes(header[1:], "little")
        most = self._limits.answer_bytes if status == ANSWERED else _LONGEST_REFUSAL
        if status not in (ANSWERED, REFUSED) or size > most:
            raise SandboxError(DAMAGED)
        return status, size

    def _receive(self, process: "subprocess.Popen[bytes]", size: int, deadline: float) -> bytes:
        assert process.stdout is not None
        poll, received = select.poll(), bytearray()
        poll.register(process.stdout, select.POLLIN)
        while len(received) < size:
            self._check(deadline, TOO_SLOW)
            if poll.poll(_GLANCE * 1000):
                piece = os.read(process.stdout.fileno(), min(size - len(received), 2**20))
                if not piece:
                    raise self._death()
                received += piece
        return bytes(received)

    def _check(self, deadline: float, reason: str) -> None:
        if self._stop():
            raise ReadingStopped(STOPPED)
        if time.monotonic() > deadline:
            raise SandboxError(reason)

    def _death(self) -> _Death:
        """Why there is nothing more to read: by how the child ended, if it did."""
        code = self._kill(patience=_TO_END)
        if code == -signal.SIGXCPU:
            return _Death(TOO_SLOW)
        if code in (MEMORY_EXIT, -signal.SIGKILL):  # the latter is the kernel's way
            return _Death(TOO_BIG)
        return _Death(DAMAGED)

    def _kill(self, patience: float = 0) -> int | None:
        """End the child and its children, reap it and close its pipes.

        Returns the exit code with which it ended by itself, within so many seconds; None if it did not.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        code = None
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(patience) if patience else process.poll()
        with suppress(ProcessLookupError, PermissionError):  # there is none left; so says Linux, and so macOS
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        return code
