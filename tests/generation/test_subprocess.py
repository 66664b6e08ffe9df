"""The model in a process of its own: the same answers, and what comes of its death."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from spring.errors import BackboneError, ModelError, PromptError
from spring.generation.engine import LocalEngine
from spring.generation.subprocess import client
from spring.generation.subprocess.client import SubprocessEngine
from spring.generation.subprocess.protocol import Failed, Fit, Fitted, read_report, send_command
from spring.generation.subprocess.server import UNEXPECTED, ModelServer
from spring.generation.types import DecodingOptions, PromptDraft
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import PASSAGES, PROMPT, QUESTION, asks, finish, forced_ids, new_engine, one_line
from tests.support.servers import HANG


@pytest.fixture(scope="module")
def token_file(tiny_llama: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens.safetensors"
    tokens = new_engine(tiny_llama).tokens
    VirtualTokens(tokens.embeddings, tiny_llama.name, tokens.learned).save(path)
    return path


@pytest.fixture(scope="module")
def process(needs_model: None, tiny_llama_folder: Path, token_file: Path) -> Iterator[SubprocessEngine]:
    model = SubprocessEngine(backbone=str(tiny_llama_folder), tokens=str(token_file), precision="fp32")
    yield model
    model.close()


def wait_until(condition) -> None:
    """Return once the condition holds."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_answers_as_the_engine_does(process: SubprocessEngine, llama_engine: LocalEngine) -> None:
    requests = asks(PROMPT, (0, 50))
    assert process.backbone.name == llama_engine.backbone.name
    assert process.backbone.context_length == llama_engine.backbone.context_length
    assert (len(process.tokens), process.tokens.learned) == (50, "for the tests")
    assert process.device == "cpu"
    assert forced_ids(process, requests) == forced_ids(llama_engine, requests)
    draft = PromptDraft(QUESTION, tuple(PASSAGES) * 5, (0, 50), ("instruction",))
    assert 0 < process.fit(draft) == llama_engine.fit(draft) < 15
    sampled = [finish(engine, requests, temperature=1.0, seed=5).ids for engine in (process, llama_engine)]
    assert sampled[0] == sampled[1]


def test_it_attributes_as_the_engine_does(process: SubprocessEngine, llama_engine: LocalEngine) -> None:
    draft = PromptDraft(QUESTION, tuple(PASSAGES), (0, 50), ("examples",))
    ids = [(5, 6, 7), (8,), ()]
    ours, theirs = (list(engine.attribute(draft, ids))[-1] for engine in (llama_engine, process))
    assert (theirs.done, theirs.steps) == (5, 5)
    for our, their in zip(ours.answers, theirs.answers, strict=True):
        assert (their.tokens, their.baseline) == (our.tokens, our.baseline)
        assert their.drops == pytest.approx(our.drops, abs=1e-4)
        assert their.own == pytest.approx(our.own, abs=1e-5)
    stream = process.attribute(draft, ids)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not process._child._boxes
    with pytest.raises(PromptError, match="There are 1 answers for 3 prompts"):
        list(process.attribute(draft, ids[:1]))


def test_streams_take_turns_and_a_dropped_one_is_stopped(process: SubprocessEngine) -> None:
    long, short = (process.stream(asks(PROMPT, (0,)), DecodingOptions(200, ignore_eos=True)) for _ in range(2))
    next(long)
    assert len([next(short) for _ in range(5)]) == 5
    assert sum(map(len, next(long).ids)) <= 3  # steps are made as they are asked for
    long.close()
    short.close()
    assert not process._child._boxes
    assert forced_ids(process, asks(PROMPT, (0,)), 3)


def test_what_cannot_be_asked_is_said_as_the_engine_says_it(process: SubprocessEngine) -> None:
    with pytest.raises(PromptError) as error:
        finish(process, asks(PROMPT, (99,)))
    assert "99 virtual tokens are out of range" in one_line(error)


def test_killed_while_streaming_it_is_loaded_again_though_there_is_no_room_for_a_process_at_first(
    process: SubprocessEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, failures = subprocess.Popen, [OSError("too many open files")] * 2

    def start_later(*given: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return start(*given, **options)

    monkeypatch.setattr(client, "PAUSE_WITHOUT_ROOM", 0.05)
    monkeypatch.setattr(subprocess, "Popen", start_later)
    before = forced_ids(process, asks(PROMPT, (0, 50)))
    stream = process.stream(asks(PROMPT, (0, 50)), DecodingOptions(200, ignore_eos=True))
    next(stream)
    killed = process.pid
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(ModelError) as error:
        list(stream)
    assert one_line(error) == "The model has stopped unexpectedly and is being loaded again: please ask again."
    assert forced_ids(process, asks(PROMPT, (0, 50))) == before  # waits until it is loaded
    assert not failures
    assert process.ready
    assert process.pid != killed
    assert not psutil.pid_exists(killed)
    assert not process._child._boxes


def test_why_it_cannot_be_loaded_again_is_said(
    process: SubprocessEngine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "_options", process._options | {"precision": "none"})
    os.kill(process.pid, signal.SIGKILL)
    process._child.ended.wait(HANG)
    with pytest.raises(BackboneError, match="none"):  # an answer that waits for it is told so at once
        wait_until(lambda: process.ready)
    said: list[str] = []

    def is_said() -> bool:
        said.append(capfd.readouterr().err)
        return "it is started again in 1 s. " in "".join(said)

    wait_until(is_said)  # by another thread than the one that answers


@pytest.mark.model
def test_a_model_that_cannot_be_loaded_is_an_error_of_the_start(tmp_path: Path) -> None:
    with pytest.raises(BackboneError) as error:
        SubprocessEngine(backbone=str(tmp_path / "nowhere"))
    assert "nowhere" in one_line(error)


class EndedChild:
    """A process that has ended."""

    def __init__(self) -> None:
        self.ended, self.ready, self.killed = threading.Event(), Future[object](), False
        self.ended.set()
        self.ready.set_result(None)

    def kill(self) -> None:
        self.killed = True


def test_a_process_that_is_being_started_while_the_engine_is_closed_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SubprocessEngine.__new__(SubprocessEngine)
    engine._options, engine._closed, engine._child = {}, False, EndedChild()  # type: ignore[assignment]

    def start(options: object) -> EndedChild:
        engine.close()
        return EndedChild()

    monkeypatch.setattr(client, "Child", start)
    engine._watch()
    assert engine._child.killed  # type: ignore[attr-defined]


class Panic(BaseException):
    """As a tokenizer's: no Exception."""


class Panicking:
    """An engine that fails on the first draft."""

    calls = 0

    def fit(self, draft: PromptDraft) -> int:
        self.calls += 1
        if self.calls == 1:
            raise Panic
        return 7


def test_a_panic_while_fitting_is_reported_and_the_next_draft_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spring.generation.subprocess.server.os._exit", sys.exit)
    ours, theirs = Pipe()

    def listen() -> None:
        with suppress(SystemExit):
            ModelServer(theirs, Panicking())._listen()  # type: ignore[arg-type]

    listening = threading.Thread(target=listen)
    listening.start()
    for id in (1, 2):
        send_command(ours, Fit(id, PromptDraft(QUESTION, tuple(PASSAGES), (0,))))
    assert read_report(ours) == Failed(1, "ModelError", UNEXPECTED)
    assert read_report(ours) == Fitted(2, 7)
    ours.close()
    listening.join(HANG)
    assert not listening.is_alive()


# --- out of memory ---

NO_MEMORY = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried ..."


@pytest.mark.parametrize(
    "error", [RuntimeError(NO_MEMORY), torch.OutOfMemoryError("CUDA out of memory."), MemoryError()]
)
@pytest.mark.parametrize("step", [1, 2, 5, 9])  # reading the passages; the first token; a middle one; the last
def test_out_of_memory_fails_that_request_alone(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, error: Exception, step: int
) -> None:
    requests = asks(PROMPT, (0, 50))
    expected, calls = forced_ids(llama_engine, requests), []
    llama_engine.prefixes.clear()
    inner = llama_engine.backbone.model.base_model.forward

    def forward(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == step:
            raise error
        return inner(*args, **kwargs)

    monkeypatch.setattr(llama_engine.backbone.model.base_model, "forward", forward)
    with pytest.raises(ModelError) as raised:
        forced_ids(llama_engine, requests)
    assert "not enough memory for this question" in one_line(raised)
    assert len(calls) == step
    assert len(llama_engine.prefixes) == 0  # what was kept makes room
    assert forced_ids(llama_engine, requests) == expected


def test_another_error_is_not_taken_for_a_lack_of_memory(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*args: object, **kwargs: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(llama_engine.backbone.model.base_model, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        finish(llama_engine, asks())
    monkeypatch.undo()
    assert forced_ids(llama_engine, asks(PROMPT, (0,)))
