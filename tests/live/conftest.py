"""A live server with a tiny random model that never ends an answer by itself."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from benchmarks.visitor import Visitor
from tests.support.servers import HANG, Server, in_a_loop, start, stop, until

NEIGHBOUR = "203.0.113.200"
Answer = tuple[list[str], str]  # the answers, and the passages' HTML
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


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One in a thread of its own, in which a visitor stays from test to test."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def neighbour(
    server: Server, loop: asyncio.AbstractEventLoop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Visitor, Answer]]:
    """Another visitor, who has the page open and a document there all the while, and what they are answered."""
    file = tmp_path_factory.mktemp("neighbour") / "vermilion.txt"
    file.write_text("The secret word of the keeper is vermilion.")
    arrived, leaves = Future[tuple[Visitor, Answer]](), asyncio.Event()

    async def stay() -> None:
        async with reader(server, file, NEIGHBOUR) as visitor:
            _, answers, passages = await visitor.answer(SECRET)
            assert "vermilion" in passages
            arrived.set_result((visitor, (answers, passages)))
            await leaves.wait()

    staying = asyncio.run_coroutine_threadsafe(stay(), loop)
    wait([arrived, staying], HANG, FIRST_COMPLETED)
    if staying.done():
        staying.result()
    yield arrived.result(0)
    loop.call_soon_threadsafe(leaves.set)
    staying.result(HANG)


@pytest.fixture
def with_neighbour(
    server: Server, loop: asyncio.AbstractEventLoop, neighbour: tuple[Visitor, Answer]
) -> Callable[[Callable[[], Coroutine[Any, Any, None]]], None]:
    """Run something while another visitor has the page open, who afterwards is answered as before.

    The server then holds no more memory, files and connections than it did; its threads are looked at in the end.
    """

    visitor, before = neighbour

    async def run(attack: Callable[[], Awaitable[None]]) -> None:
        await visitor.client.get("robots.txt")  # a connection that is kept, as after the question below
        memory, handles = server.memory, server.handles
        await attack()
        assert (await visitor.answer(SECRET))[1:] == before
        await until(lambda: not server.uploaded and not server.readers and server.handles <= handles)
        assert server.memory < memory + 50 * 2**20

    return lambda attack: asyncio.run_coroutine_threadsafe(run(attack), loop).result()


@asynccontextmanager
async def reader(server: Server, file: Path, address: str) -> AsyncIterator[Visitor]:
    """A visitor who has uploaded a document."""
    async with Visitor(server.url, address) as visitor:
        assert "1 passage" in await visitor.add_documents(file)
        yield visitor
