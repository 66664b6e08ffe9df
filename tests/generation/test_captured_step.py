"""Decode steps recorded on a graphics card. Deselected by default, as they need one: `make test-gpu`."""

import pytest
import torch

from benchmarks.random_model import random_backbone
from benchmarks.side_by_side import passages_of
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from tests.conftest import finish

pytestmark = pytest.mark.gpu
EIGHT = (0, 1, 2, 5, 10, 20, 30, 50)
SAMPLED = {"temperature": 1.0, "seed": 3}


@pytest.fixture(scope="module", params=["fp32", "bf16", "4bit"])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    assert torch.cuda.is_available(), "these tests need a CUDA device"
    return random_backbone("small", request.param, "cuda")


def engine_of(backbone: Backbone, step: str) -> LocalEngine:
    return LocalEngine(backbone, backbone.initial_virtual_tokens(), step=step)


def asked(backbone: Backbone, ks: tuple[int, ...]) -> list[GenerationRequest]:
    return [GenerationRequest(passages_of(engine_of(backbone, "eager"), 100), k) for k in ks]


def ids(engine: LocalEngine, requests: list[GenerationRequest], **options: object) -> tuple[tuple[int, ...], ...]:
    return finish(engine, requests, 24, ignore_eos=True, **options).ids


@pytest.mark.parametrize("ks", [(0,), (0, 50), EIGHT])
@pytest.mark.parametrize("sampling", [{}, SAMPLED], ids=["greedy", "sampled"])
def test_the_tokens_are_those_of_the_same_step_without_a_graph(
    backbone: Backbone, ks: tuple[int, ...], sampling: dict[str, float]
) -> None:
    engine, requests = engine_of(backbone, "auto"), asked(backbone, ks)
    expected = ids(engine_of(backbone, "static"), requests, **sampling)
    assert [ids(engine, requests, **sampling) for _ in range(3)] == [expected] * 3
    assert engine.steps.nbytes > 0
    if backbone.precision == "fp32":  # others depend on the kernels
        assert ids(engine_of(backbone, "eager"), requests, **sampling) == expected


def test_streams_that_take_turns_or_stop_are_as_alone(backbone: Backbone) -> None:
    engine = engine_of(backbone, "auto")
    batches = [asked(backbone, ks) for ks in ((0, 50), (10, 1), (0, 50), EIGHT)]
    alone = [ids(engine, batch) for batch in batches]
    streams = [engine.stream(batch, DecodingOptions(24, ignore_eos=True)) for batch in batches]
    stopped = engine.stream(batches[0], DecodingOptions(24, ignore_eos=True))
    while not next(stopped).ids:
        pass
    latest = {}
    while len(latest) < len(streams) or not all(progress.done for progress in latest.values()):
        for place, stream in enumerate(streams):
            latest[place] = next(stream, latest.get(place))
        if len(latest[0].ids and latest[0].ids[0]) == 5:
            stopped.close()
    assert [latest[place].ids for place in range(len(streams))] == alone


def test_a_step_that_waits_for_the_card_is_left_eager(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, requests, forward = engine_of(backbone, "auto"), asked(backbone, (0, 50)), backbone.model.forward
    expected = ids(engine_of(backbone, "eager"), requests)

    def waiting(*args: object, **options: object) -> object:
        output = forward(*args, **options)
        assert output.logits.isfinite().all().item()
        return output

    monkeypatch.setattr(backbone.model, "forward", waiting)
    assert [ids(engine, requests) for _ in range(2)] == [expected] * 2
    assert "cannot be recorded" in capsys.readouterr().err
    monkeypatch.setattr(backbone.model, "forward", forward)
    assert ids(engine_of(backbone, "auto"), requests) == ids(engine_of(backbone, "static"), requests)


def test_memory_comes_back_when_the_steps_are_dropped(backbone: Backbone) -> None:
    engine, requests = engine_of(backbone, "auto"), asked(backbone, EIGHT)
    ids(engine, requests)
    engine.on_worker(engine.prefixes.clear)
    before = torch.cuda.memory_allocated()
    kept = engine.steps.nbytes
    engine.on_worker(engine.steps.clear)
    assert torch.cuda.memory_allocated() <= before - kept
