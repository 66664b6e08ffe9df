"""The two ways to lay out a batch's rows give the same answers: copies of the passages, and passages that all share."""

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DeepseekV2Config,
    DiffLlamaConfig,
    GemmaConfig,
    NemotronConfig,
    PretrainedConfig,
)

from spring.generation import stream
from spring.generation.engine import LocalEngine
from spring.generation.shared_prefix import prepare_attention, takes_shared_prefix
from spring.generation.shared_rows import SharedRows
from spring.generation.stacked_rows import StackedRows
from spring.generation.types import GenerationRequest
from spring.models.backbone import Backbone
from spring.rag.prompt import Prompt, build_prompt
from tests.conftest import PROMPT, QUESTION, asks, finish, forced_ids, new_engine, with_eos

EXAMPLES = GenerationRequest(Prompt(PROMPT.before, build_prompt([], QUESTION, "examples").after), 0, "examples")
REQUESTS = [*asks(), EXAMPLES]  # questions of different lengths
OTHER = GenerationRequest(build_prompt([], QUESTION), 5)  # other passages: none


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """The kinds of rows that streams make."""
    kinds: list[type] = []
    for kind in (SharedRows, StackedRows):
        monkeypatch.setattr(stream, kind.__name__, lambda *args, kind=kind: kinds.append(kind) or kind(*args))
    return kinds


def copied(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    monkeypatch.setattr(stream, "can_share", lambda *_: False)
    engine.prefixes.clear()
    return engine


@pytest.mark.parametrize("rows", [1, 2, len(REQUESTS)])
def test_shared_passages_are_answered_as_copies(
    llama_engine: LocalEngine, made: list[type], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    shared = forced_ids(llama_engine, REQUESTS[-rows:], 20)
    assert shared == forced_ids(copied(llama_engine, monkeypatch), REQUESTS[-rows:], 20)
    assert made == [SharedRows, StackedRows]


def test_rows_that_end_leave_the_others_as_they_are(llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    early = forced_ids(llama_engine, REQUESTS)[1][3]
    engine = new_engine(with_eos(llama_engine.backbone, early))
    alone = [finish(engine, [request], 20).ids[0] for request in REQUESTS]
    assert len(alone[1]) == 3
    assert list(finish(engine, REQUESTS, 20, drop_ended=True).ids) == alone
    assert list(finish(copied(engine, monkeypatch), REQUESTS, 20, drop_ended=True).ids) == alone


def test_different_passages_are_copied(llama_engine: LocalEngine, made: list[type]) -> None:
    finish(llama_engine, [*REQUESTS, OTHER], 2)
    assert made == [StackedRows]


def test_windows_and_other_attention_are_left_to_copies(
    tiny_mistral: Backbone, tiny_llama: Backbone, made: list[type]
) -> None:
    finish(new_engine(tiny_mistral), asks(), 2)
    engine = new_engine(tiny_llama)
    tiny_llama.model.set_attn_implementation("eager")  # as training does
    try:
        finish(engine, asks(), 2)
        assert not takes_shared_prefix(tiny_llama.model)
        prepare_attention(tiny_llama.model)
        assert not takes_shared_prefix(tiny_llama.model)
    finally:
        tiny_llama.model.set_attn_implementation("sdpa")
    assert made == [StackedRows, StackedRows]


MLA = {"qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 12, "kv_lora_rank": 16, "q_lora_rank": 24}


@pytest.mark.parametrize(
    ("config", "more", "kind"),
    [
        (GemmaConfig, {"head_dim": 16}, SharedRows),
        (NemotronConfig, {}, StackedRows),  # gives its attention nothing of the prefix
        (DiffLlamaConfig, {}, StackedRows),  # has other values in its attention than in its cache
        (DeepseekV2Config, {**MLA, "first_k_dense_replace": 2}, StackedRows),  # its keys are wider than its values
    ],
    ids=lambda value: getattr(value, "model_type", ""),
)
def test_who_does_not_see_a_shared_prefix_gets_copies(
    config: type[PretrainedConfig], more: dict[str, object], kind: type, tiny_llama: Backbone, made: list[type]
) -> None:
    shape = {name: getattr(tiny_llama.model.config, name) for name in ("vocab_size", "hidden_size", "eos_token_id")}
    shape |= {"intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    torch.manual_seed(6)
    model = AutoModelForCausalLM.from_config(config(**shape, initializer_range=0.25, **more)).eval()
    backbone = Backbone(model, tiny_llama.tokenization, "fp32")
    answer = finish(new_engine(backbone), asks(ks=(0,)), 4)
    assert made == [kind]
    before, after = backbone.tokenization.encode(PROMPT)
    ids = [*before, *after]
    for _ in answer.ids[0]:
        with torch.inference_mode():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert tuple(ids[-len(answer.ids[0]) :]) == answer.ids[0]
