"""ZeroGPU: `app.py` against the real `spaces` package with a service that lends no GPU but says so."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import psutil
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError

from spring.errors import ModelError, PromptError, SpringError
from spring.generation.model_thread import OUT_OF_MEMORY
from spring.generation.types import GREEDY, DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from spring.web.zero_gpu import ZeroGpuEngine, one_sentence
from tests.conftest import PROMPT, ROOT, asks, finish, new_engine, one_line

QUESTION = "Who designed the lighthouse tower at Skerl Point?"


@pytest.fixture(scope="module")
def page(
    needs_model: None,
    tiny_llama_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SimpleNamespace]:
    """The page of a tiny model on what it takes for ZeroGPU, where `auto` is 4-bit."""
    folder = tmp_path_factory.mktemp("zero")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    environment = {
        **os.environ,
        "SPRING_BACKBONE": str(tiny_llama_folder),
        "SPRING_PRECISION": "auto",
        "GRADIO_SERVER_PORT": address.rstrip("/").rpartition(":")[2],
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
    }
    log = folder / "log"
    command = [sys.executable, str(ROOT / "tests" / "support" / "zero_gpu_page.py"), str(folder)]
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(address, server, log)
        yield SimpleNamespace(client=Client(address, verbose=False), folder=folder, log=log)
        assert server.poll() is None, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        for fork in psutil.Process(server.pid).children(recursive=True):  # `spaces` leaves them to themselves
            fork.kill()
        server.terminate()
        server.wait(20)


def wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)


def ask(page: SimpleNamespace, **options: object) -> dict[str, object]:
    asked = {"question": QUESTION, "virtual_tokens": 5, "collection": "Orlo station", "passages": 1}
    return page.client.predict(**(asked | {"max_new_tokens": 8} | options), api_name="/compare")


def asked_of_the_service(page: SimpleNamespace) -> list[dict[str, str]]:
    return [json.loads(line) for line in (page.folder / "asked.jsonl").read_text().splitlines()]


# --- the page ---


def test_the_model_is_loaded_before_the_page_is_served(page: SimpleNamespace) -> None:
    log = page.log.read_text()
    assert 0 < log.index("the model answers") < log.index(" answers\n", log.index("http://"))
    assert asked_of_the_service(page)[0]["path"] == "/startup-report"


def test_a_comparison_is_one_call(page: SimpleNamespace) -> None:
    before = len(asked_of_the_service(page))
    first, again = ask(page), ask(page)
    calls = [asked["path"] for asked in asked_of_the_service(page)[before:]]
    assert calls == ["/schedule", "/allow", "/release"] * 2
    assert first["precision"] == "4bit", first
    texts = [[answer["text"] for answer in result["answers"]] for result in (first, again)]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 2


def test_the_time_asked_for_grows_with_what_is_asked(page: SimpleNamespace) -> None:
    ask(page, max_new_tokens=1)
    short = int(asked_of_the_service(page)[-3]["durationSeconds"])
    ask(page, max_new_tokens=80)
    assert short < 15 < int(asked_of_the_service(page)[-3]["durationSeconds"]) < 30


def test_what_cannot_be_asked_takes_no_gpu(page: SimpleNamespace) -> None:
    before = len(asked_of_the_service(page))
    with pytest.raises(AppError, match="51 virtual tokens are out of range: there are 0 to 50"):
        ask(page, virtual_tokens=51)
    assert len(asked_of_the_service(page)) == before


def test_a_quota_that_is_used_up_is_told_in_one_sentence(page: SimpleNamespace) -> None:
    (page.folder / "refuse").touch()
    try:
        with pytest.raises(AppError, match=r"^There is no GPU for this question now \(.*limit.*\): please ask again"):
            ask(page)
    finally:
        (page.folder / "refuse").unlink()
    assert ask(page)["answers"]


# --- the engine, where `spaces` lends nothing ---


@pytest.fixture
def engine(tiny_llama: Backbone) -> ZeroGpuEngine:
    return ZeroGpuEngine(tiny_llama, new_engine(tiny_llama).tokens)


def test_without_zero_gpu_it_answers_as_any_engine(engine: ZeroGpuEngine, tiny_llama: Backbone) -> None:
    expected = finish(new_engine(tiny_llama), asks(), temperature=0.7, seed=3)
    assert finish(engine, asks(), temperature=0.7, seed=3).ids == expected.ids


def test_it_keeps_no_decode_steps(tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRING_STEP", "static")
    assert ZeroGpuEngine(tiny_llama, new_engine(tiny_llama).tokens).steps is None


def test_settings_are_refused_before_the_stream_is_read(engine: ZeroGpuEngine) -> None:
    with pytest.raises(PromptError, match="out of range"):
        engine.stream([GenerationRequest(PROMPT, 51)])


def test_passages_that_are_shared_count_once_in_the_time_asked_for(engine: ZeroGpuEngine) -> None:
    assert engine.seconds(asks(ks=(0, 50)), GREEDY) == engine.seconds(asks(ks=(0,)), GREEDY) == 17


def test_a_batch_of_more_rows_asks_for_more_time(engine: ZeroGpuEngine) -> None:
    seconds = [engine.seconds(asks(ks=(0,)) * rows, DecodingOptions(80)) for rows in (1, 16, 32)]
    assert seconds[0] == seconds[1] == seconds[2] - 10


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")])
def test_too_little_memory_is_told_as_that_and_room_is_made(
    engine: ZeroGpuEngine, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    finish(engine, asks())
    assert len(engine.prefixes) > 0
    with monkeypatch.context() as patch:
        patch.setattr(type(engine.backbone.model), "forward", fail)
        with pytest.raises(ModelError) as told:
            finish(engine, asks())
    assert one_line(told) == OUT_OF_MEMORY
    assert len(engine.prefixes) == 0
    assert finish(engine, asks()).answers[0].text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "No GPU was available after 60s. <a href='https://hf.co'>Sign up</a> for more.",
            "after 60s; Sign up for more",
        ),
        (
            "You have exceeded your quota (60s requested vs. 5s left). Try again in 1:00:00. ",
            "5s left); Try again in 1",
        ),
        ("Not now. [Create an account](https://hf.co/join) to get a higher priority.", "Not now; Create an account to"),
        ("GPU task aborted", r"(GPU task aborted): please"),
    ],
)
def test_what_spaces_says_becomes_one_sentence(
    engine: ZeroGpuEngine, monkeypatch: pytest.MonkeyPatch, message: str, expected: str
) -> None:
    def refuse(*_: object) -> Iterator[None]:
        raise gr.Error(message, print_exception=False)

    monkeypatch.setattr(engine, "_lent", refuse)
    with pytest.raises(SpringError) as error:
        list(engine.stream(asks()))
    assert expected in one_line(error)
    assert one_sentence(gr.Error(message)) == str(error.value)
