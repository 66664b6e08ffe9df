"""A live server with a tiny random model that never ends an answer by itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.visitor import Visitor
from spring.models.loader import load_backbone
from tests.conftest import _byte_level_tokenizer, _save, _shape, new_engine
from tests.live.servers import Server, in_a_loop, start, stop

NEIGHBOUR = "203.0.113.200"


@pytest.fixture(scope="session")
def live_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model's folder and its token file: deep enough for a long answer to take seconds."""
    tokenizer, folder = _byte_level_tokenizer(), tmp_path_factory.mktemp("models") / "live"
    torch.manual_seed(4)
    shape = _shape(tokenizer) | {"num_hidden_layers": 48, "max_position_embeddings": 2048}
    _save(LlamaForCausalLM(LlamaConfig(**shape)), tokenizer, folder)
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"eos_token_id": 399}))
    new_engine(load_backbone(str(folder), "fp32")).tokens.save(folder / "tokens.safetensors")
    return folder, folder / "tokens.safetensors"


@pytest.fixture(scope="session")
def server(live_model: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests: whatever one of them does, the others find it as it was."""
    folder = tmp_path_factory.mktemp("server")
    small = {"UPLOAD_MB": "1", "SESSION_MB": "2", "SESSIONS_MB": "16", "ANSWER_SECONDS": "4"}
    running = start(
        *live_model, folder / "files", folder / "log", **{f"SPRING_{name}": value for name, value in small.items()}
    )
    in_a_loop(_all_at_once(running.url))
    threads = running.threads
    yield running
    try:
        # Gradio's pool, grown to as many threads as ever were busy, lets go of the idle ones at the next call.
        running.wait(lambda: in_a_loop(_call(running)) <= threads + 5, 30)
    finally:
        stop(running)
    log = (folder / "log").read_text()
    # Gradio tells the log of every choice that is none, and every number out of a slider's bounds.
    unexpected = [error for error in log.split("Traceback")[1:] if "gradio.exceptions.Error: " not in error]
    assert unexpected == []


async def _call(server: Server) -> int:
    """The threads after one more call."""
    async with Visitor(server.url) as visitor:
        await asyncio.sleep(1)
        await visitor.call("forget")
    return server.threads


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
            before = await neighbour.answer("What is the secret word?")
            assert "vermilion" in before[2]
            memory, handles = server.memory, server.handles
            await attack()
            assert (await neighbour.answer("What is the secret word?"))[1:] == before[1:]
        server.wait(lambda: not server.uploaded and not server.readers and server.handles <= handles, 20)
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
