"""`app.py` in a process of its own, and what a test may look at or do to it: its files, processes and model."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.conftest import ROOT

T = TypeVar("T")
HANG = 240.0  # seconds after which a wait has failed: no promise, only the end of a hang


@dataclass
class Server:
    """A running server: its address, its process, the folder of its files, its log."""

    url: str
    process: psutil.Popen
    files: Path
    log: Path

    @property
    def model(self) -> psutil.Process:
        """The model's process, which may not be there while it is being loaded again."""
        return next(p for p in self.process.children() if "spring.generation.subprocess.server" in p.cmdline())

    @property
    def readers(self) -> list[psutil.Process]:
        """Processes that read files now, zombies included."""
        children = self.process.children(recursive=True)
        return [child for child in children if "spring.generation.subprocess.server" not in _command(child)]

    @property
    def memory(self) -> int:
        """Resident bytes, the model's process not counted."""
        return int(self.process.memory_info().rss)

    @property
    def handles(self) -> int:
        """Open files and connections."""
        return int(self.process.num_fds())

    @property
    def threads(self) -> int:
        """Threads of Python and of its libraries."""
        return int(self.process.num_threads())

    @property
    def uploaded(self) -> list[str]:
        """Names of visitors' files and folders on the disk."""
        return [path.name for path in self.files.glob("*/received/**/*")]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds."""
        end = time.monotonic() + HANG
        while not condition():
            assert time.monotonic() < end, (self.uploaded, self.log.read_text()[-500:])
            time.sleep(0.05)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the model's process meanwhile: what it is writing goes no further, and takes as long as a test likes."""
        model = self.model
        model.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(psutil.NoSuchProcess):  # a test may have killed it
                model.send_signal(signal.SIGCONT)


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; other coroutines run meanwhile."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: the browser tests keep a running loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def start(folder: Path, tokens: Path, files: Path, log: Path, **settings: str) -> Server:
    """Start a server and wait until its model answers.

    Args:
        folder: the model's.
        tokens: the token file.
        files: for visitors' files.
        log: appended to.
        settings: further environment variables.

    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(files),
        "SPRING_BACKBONE": str(folder),
        "SPRING_TOKENS": str(tokens),
        "SPRING_PRECISION": "fp32",
        **settings,
    }
    with log.open("a") as output:
        started = psutil.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(f"http://127.0.0.1:{port}/", started, files, log)

    def answers() -> bool:
        assert started.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(server.url, timeout=5).close()
        except OSError:
            return False
        return "the model answers" in log.read_text()

    server.wait(answers)
    return server


def stop(server: Server) -> None:
    """Kill the server and its model."""
    with suppress(psutil.NoSuchProcess):  # a test may have killed it
        for process in (server.process, *server.process.children()):
            process.kill()
    server.process.wait()


def _command(process: psutil.Process) -> list[str]:
    """Command line of a process; empty for one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # zombies too
        return []
