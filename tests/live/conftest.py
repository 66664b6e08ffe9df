"""A live server with a tiny random model that never ends an answer by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.visitor import Visitor
from tests.support.servers import Server, in_a_loop, start, stop, until

NEIGHBOUR = "203.0.113.200"
SECRET = "What is the secret word?"
SETTINGS = {"UPLOAD_MB": "1", "SESSION_MB": "2", "SESSIONS_MB": "16", "ANSWER_SECONDS": "3600", "MCP": "1"}


@pytest.fixture(scope="session")
def server(endless_model: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests: whatever one of them does, the others find it as it was. No answer ends for lack of time."""
    folder = tmp_path_factory.mktemp("server")
    settings = {f"SPRING_{name}": value for name, value in SETTINGS.items()}
    running = start(*endless_model, folder / "files", folder / "log", **settings)
    in_a_loop(_all_at_once(running.url))
    threads = running.threads
    yield running
    try:
        # Gradio's pool, grown to as many threads as ever were busy, lets go of the idle ones at the next call.
        in_a_loop(_threads_end(running, threads + 5))
    finally:
        stop(running)
    log = (folder / "log").read_text()
    # Gradio tells the log of every choice that is none, and every number out of a slider's bounds.
    unexpected = [error for error in log.split("Traceback")[1:] if "gradio.exceptions.Error: " not in error]
    assert unexpected == []


async def _threads_end(server: Server, most: int) -> None:
    """Call now and then until no more threads than `most` are left."""
    async with Visitor(server.url) as visitor:
        while server.threads > most:
            await asyncio.sleep(1)
            await visitor.call("remove_documents")


async def _all_at_once(url: str) -> None:
    """Several visitors, who make the server start the threads that it keeps."""
    visitors = [Visitor(url, f"198.51.100.{number}") for number in range(1, 9)]
    for visitor in visitors:
        await visitor.__aenter__()
    await asyncio.gather(*(visitor.answer("What is there?", name="Orlo station", tokens=4) for visitor in visitors))
    for visitor in visitors:
        await visitor.__aexit__()


@pytest.fixture
def document(tmp_path: Path) -> Callable[[str], Path]:
    """A file with a secret word in it."""

    def write(word: str) -> Path:
        path = tmp_path / f"{word}.txt"
        path.write_text(f"The secret word of the keeper is {word}.")
        return path

    return write


@pytest.fixture
def with_neighbour(server: Server, document: Callable[[str], Path]) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Run something while another visitor has the page open, who afterwards is answered as before.

    The server then holds no more memory, files and connections than it did; its threads are looked at in the end.
    """

    async def run(attack: Callable[[], Awaitable[None]]) -> None:
        async with reader(server, document("vermilion"), NEIGHBOUR) as neighbour:
            before = await neighbour.answer(SECRET)
            assert "vermilion" in before[2]
            memory, handles = server.memory, server.handles
            await attack()
            assert (await neighbour.answer(SECRET))[1:] == before[1:]
        await until(lambda: not server.uploaded and not server.readers and server.handles <= handles)
        assert server.memory < memory + 50 * 2**20

    def run_all(attack: Callable[[], Coroutine[Any, Any, None]]) -> None:
        in_a_loop(run(attack))

    return run_all


@asynccontextmanager
async def reader(server: Server, file: Path, address: str) -> AsyncIterator[Visitor]:
    """A visitor who has uploaded a document."""
    async with Visitor(server.url, address) as visitor:
        assert "1 passage" in await visitor.add_documents(file)
        yield visitor
