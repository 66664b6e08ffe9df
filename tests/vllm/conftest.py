"""One vLLM for all tests of `make test-vllm`, and an engine that asks it."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from spring.generation.openai.engine import OpenAiEngine
from spring.models.export import export_model
from spring.settings import DEFAULT_BACKBONE
from tests.support.vllm import Vllm


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default backbone with its tokens."""
    folder = tmp_path_factory.mktemp("vllm") / "exported"
    checked = export_model(DEFAULT_BACKBONE, None, folder, print).checked
    assert checked
    assert checked.largest_difference <= 1e-4
    return folder


@pytest.fixture(scope="session")
def vllm(exported: Path) -> Iterator[Vllm]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Vllm(exported, port, exported.parent / "log")
    yield server
    server.kill()


@pytest.fixture
def engine(vllm: Vllm, exported: Path) -> Iterator[OpenAiEngine]:
    with closing(OpenAiEngine(exported, vllm.url)) as made:
        yield made
