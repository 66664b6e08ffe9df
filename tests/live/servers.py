"""A server of its own process with a tiny random model, and visitors that speak to it as the page does."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.conftest import ROOT

T = TypeVar("T")


@dataclass
class Server:
    """What a test may look at: the page's address, its process, its files."""

    url: str
    process: psutil.Popen
    files: Path
    log: Path

    @property
    def model(self) -> psutil.Process:
        """The model's process."""
        return next(p for p in self.process.children() if "spring.generation.subprocess.server" in p.cmdline())

    @property
    def readers(self) -> list[psutil.Process]:
        """The processes that read files now, zombies too."""
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
        """Of Python and of its libraries."""
        return int(self.process.num_threads())

    @property
    def uploaded(self) -> list[str]:
        """What lies on the disk of visitors' files."""
        return [path.name for path in self.files.glob("*/received/**/*")]

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> float:
        """Seconds until the condition held."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, (self.uploaded, self.log.read_text()[-500:])
            time.sleep(0.05)
        return time.monotonic() - started


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: the browser of other tests keeps a running loop in the main one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def start(folder: Path, tokens: Path, files: Path, log: Path, **settings: str) -> Server:
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

    server.wait(answers, 120)
    return server


def stop(server: Server) -> None:
    for process in (server.process, *server.process.children()):
        process.kill()
    server.process.wait()


def _command(process: psutil.Process) -> list[str]:
    """How it was started; empty for one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # zombies too
        return []
