"""A live server with a tiny random model that never ends an answer by itself."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.visitor import Visitor
from spring.backbone import load_backbone
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
    yield running
    log = (folder / "log").read_text()
    stop(running)
    # Gradio tells the log of every choice that is none, and every number out of a slider's bounds.
    unexpected = [error for error in log.split("Traceback")[1:] if "gradio.exceptions.Error: " not in error]
    assert unexpected == []


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
    """Run something while another visitor has the page open, who afterwards is answered as before."""

    async def run(attack: Callable[[], Awaitable[None]]) -> None:
        async with reader(server, document("vermilion"), NEIGHBOUR) as neighbour:
            before = await neighbour.answer("What is the secret word?")
            assert "vermilion" in before[2]
            await attack()
            assert (await neighbour.answer("What is the secret word?"))[1:] == before[1:]
        server.wait(lambda: not server.uploaded)

    def run_all(attack: Callable[[], Coroutine[Any, Any, None]]) -> None:
        in_a_loop(run(attack))

    return run_all


@asynccontextmanager
async def reader(server: Server, file: Path, address: str) -> AsyncIterator[Visitor]:
    """A visitor who has uploaded a document."""
    async with Visitor(server.url, address) as visitor:
        assert "1 passage" in await visitor.add_documents(file)
        yield visitor
