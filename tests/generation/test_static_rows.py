"""The step that a CUDA graph holds, run as it is: its tokens are those of the eager step, for every kind of request."""

import gc
from itertools import zip_longest
from pathlib import Path

import pytest
import torch

from spring.errors import SpringError
from spring.generation.engine import LocalEngine, load_engine
from spring.generation.static_step import StepShape
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.models.size import STEP_SLOTS
from spring.rag.prompt import Prompt, build_prompt
from spring.settings import decode_step
from tests.conftest import PASSAGES, PROMPT, QUESTION, asks, finish, forced_ids, new_engine, one_line, with_eos

EXAMPLES = GenerationRequest(Prompt(PROMPT.before, build_prompt([], QUESTION, "examples").after), 0, "examples")
SHORT = GenerationRequest(build_prompt(PASSAGES[2:], "Why?"), 3)
NO_PASSAGES = GenerationRequest(build_prompt([], QUESTION), 5)
BATCHES = {
    "one": asks(ks=(0,)),
    "all k": asks(),
    "eight": asks(ks=(0, 1, 2, 5, 10, 20, 30, 50)),
    "mixed": [*asks(ks=(50, 0)), EXAMPLES, SHORT, NO_PASSAGES],
    "no passages": [NO_PASSAGES],
}


def static(backbone: Backbone) -> LocalEngine:
    return new_engine(backbone, step="static")


def eager(backbone: Backbone) -> LocalEngine:
    return new_engine(backbone, step="eager")


def kept(engine: LocalEngine) -> int:
    """How many steps are kept, none of them on loan."""
    engine.steps._collect()
    assert not engine.steps._lent
    return len(engine.steps._free)


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_the_tokens_are_those_of_the_eager_step(tiny: Backbone, batch: list[GenerationRequest]) -> None:
    assert forced_ids(static(tiny), batch, 16) == forced_ids(eager(tiny), batch, 16)


def test_so_they_are_in_4_bits(tiny_llama_folder: Path) -> None:
    backbone = load_backbone(str(tiny_llama_folder), "4bit")
    assert forced_ids(static(backbone), asks(), 12) == forced_ids(eager(backbone), asks(), 12)


@pytest.mark.parametrize("seed", [7, 8])
def test_so_are_those_drawn_at_random(tiny: Backbone, seed: int) -> None:
    options = {"temperature": 1.3, "seed": seed, "ignore_eos": True}
    engine, batch = static(tiny), BATCHES["mixed"]
    expected = finish(eager(tiny), batch, 12, **options).ids
    assert finish(engine, batch, 12, **options).ids == expected
    assert finish(engine, batch, 12, **options | {"temperature": 0.5}).ids != expected
    assert finish(engine, batch, 12, **options).ids == expected  # in the same step
    assert kept(engine) == 1


def test_rows_end_each_for_itself(tiny_llama: Backbone) -> None:
    forced = forced_ids(eager(tiny_llama), BATCHES["mixed"], 20)
    early = forced[1][3]
    backbone = with_eos(tiny_llama, early)
    expected = finish(eager(backbone), BATCHES["mixed"], 20)
    engine = static(backbone)
    for drop_ended in (False, True):
        answers = finish(engine, BATCHES["mixed"], 20, drop_ended=drop_ended)
        assert answers.ids == expected.ids
        assert [a.ended_by for a in answers.answers] == [a.ended_by for a in expected.answers]
    assert {answer.ended for answer in expected.answers} == {"stop", "length"}
    assert kept(engine) == 1
    ids = engine.steps._free[0].step.ids.tolist()
    assert [id == early for id in ids] == [early in answer for answer in forced]  # which they repeat


def test_every_length_is_answered(llama_engine: LocalEngine) -> None:
    engine, whole = static(llama_engine.backbone), forced_ids(llama_engine, asks(), 7)
    for new_tokens in (1, 2, 3, 7):
        snapshots = list(engine.stream(asks(), DecodingOptions(new_tokens, ignore_eos=True)))
        assert [list(ids) for ids in snapshots[-1].ids] == [ids[:new_tokens] for ids in whole]
        assert [p.answers[0].new_tokens for p in snapshots if p.ids] == list(range(1, new_tokens + 1))
        assert not any(progress.preparing for progress in snapshots)


def test_a_step_is_used_to_its_last_slot(llama_engine: LocalEngine) -> None:
    room, requests = STEP_SLOTS - llama_engine.backbone.tokenization.count(PROMPT) - 50, asks(ks=(50,))
    assert forced_ids(static(llama_engine.backbone), requests, room) == forced_ids(llama_engine, requests, room)


def test_a_stream_may_stop_anywhere_and_another_goes_on_with_its_step(tiny: Backbone) -> None:
    engine, expected = static(tiny), forced_ids(eager(tiny), asks(), 10)
    for steps in range(1, 6):
        stream = engine.stream(asks(ks=(50, 10, 1, 0)), DecodingOptions(10))
        for _ in range(steps):
            next(stream)
        stream.close()
        assert forced_ids(engine, asks(), 10) == expected
    assert kept(engine) == 1


def test_one_that_is_forgotten_gives_its_step_back(llama_engine: LocalEngine) -> None:
    engine = static(llama_engine.backbone)
    circle = [engine.stream(asks(), DecodingOptions(10))]
    circle.append(circle)  # only the garbage collector finds it
    while not next(circle[0]).ids:
        pass
    del circle
    gc.collect()
    assert kept(engine) == 1


def test_streams_that_take_turns_have_a_step_each(tiny: Backbone) -> None:
    batches = [asks(), asks(ks=(10, 0, 50, 1)), [SHORT], BATCHES["mixed"]]
    for sampling in ({}, {"temperature": 1.0, "seed": 3}):
        alone = [finish(eager(tiny), batch, 9, ignore_eos=True, **sampling).ids for batch in batches]
        engine = static(tiny)
        streams = [engine.stream(batch, DecodingOptions(9, ignore_eos=True, **sampling)) for batch in batches]
        latest = list(zip_longest(*streams))
        assert [[p for p in turns if p][-1].ids for turns in zip(*latest, strict=True)] == alone
        assert kept(engine) == len(batches)


def test_what_a_visitor_read_does_not_stay(llama_engine: LocalEngine) -> None:
    engine = static(llama_engine.backbone)
    forced_ids(engine, asks())
    forced_ids(engine, [SHORT] * 4)
    step = engine.steps.take(StepShape(4, STEP_SLOTS, False)).step
    for layer in step.cache.layers:
        assert layer._keys[:, :, layer.keys.shape[2] + 8 :].count_nonzero() == 0


def test_the_way_is_one_of_three() -> None:
    assert [decode_step({}), decode_step({"SPRING_STEP": ""})] == ["auto"] * 2
    assert [decode_step({"SPRING_STEP": way}) for way in ("auto", "eager", "static")] == ["auto", "eager", "static"]
    with pytest.raises(SpringError, match="SPRING_STEP must be one of auto, eager, static, not 'graph'") as error:
        decode_step({"SPRING_STEP": "graph"})
    one_line(error)


def test_a_wrong_way_is_refused_before_the_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRING_STEP", "fast")
    with pytest.raises(SpringError, match="SPRING_STEP"):
        load_engine("no such backbone")


def test_the_environment_chooses(tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRING_STEP", "static")
    assert new_engine(tiny_llama).steps is not None
    monkeypatch.setenv("SPRING_STEP", "eager")
    assert new_engine(tiny_llama).steps is None
    monkeypatch.delenv("SPRING_STEP")
    assert torch.cuda.is_available() or new_engine(tiny_llama).steps is None
