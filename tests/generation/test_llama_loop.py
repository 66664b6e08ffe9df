"""The loop over a packed Llama's layers gives the very logits of transformers' modules, but for how it norms."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from spring.generation import forward
from spring.generation.kv_cache import Prefix, new_cache
from spring.generation.llama_loop import LlamaLoop, loop_of
from spring.generation.rows import RowInput, Rows
from spring.generation.sampling import Sampler
from spring.generation.shared_prefix import NAME, prepare_attention
from spring.generation.shared_rows import SharedRows
from spring.generation.stacked_rows import StackedRows
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.rag.prompt import Prompt
from tests.conftest import PROMPT, finish, new_engine

IDS = tuple(range(40, 90))
QUESTIONS = ([5, 6, 7], [8, 9], [5, 6, 7, 8, 9, 10])


@pytest.fixture(scope="module")
def joined_folder(tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama with layers of a width at which their products are joined, as the embedded model's are."""
    folder = tmp_path_factory.mktemp("models") / "joined"
    shutil.copytree(tiny_llama_folder, folder, ignore=shutil.ignore_patterns("*int4*"))
    config = LlamaConfig.from_pretrained(folder, head_dim=32, intermediate_size=128)
    torch.manual_seed(3)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(
    scope="module",
    params=[(name, precision) for name in ("tiny_llama", "joined") for precision in ("int4", "int4-int8", "int4-fp32")],
    ids="-".join,
)
def packed(request: pytest.FixtureRequest) -> Backbone:
    name, precision = request.param
    backbone = load_backbone(str(request.getfixturevalue(f"{name}_folder")), precision)
    prepare_attention(backbone.model)
    return backbone


def as_the_modules(_: LlamaLoop, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    epsilon = 1e-6  # of the tiny model
    return functional.rms_norm(states.float(), weight.shape, eps=epsilon).to(states.dtype) * weight


def logits_of_steps(backbone: Backbone, kind: type[Rows]) -> list[torch.Tensor]:
    """Logits of three rows' steps, before and after one of them ends."""
    with torch.inference_mode():
        prefix = Prefix(IDS, new_cache(backbone.layers, len(IDS) + 10))
        for part in (IDS, range(10)):
            forward.read(backbone, backbone.embed(torch.tensor([list(part)])), prefix.cache)
        inputs = [RowInput(prefix, k, question) for k, question in zip((0, 3, 10), QUESTIONS, strict=True)]
        rows = kind(backbone, inputs, DecodingOptions(12))
        logits: list[torch.Tensor] = []
        rows.sampler.choose = lambda scores: logits.append(scores) or scores.argmax(-1)
        rows.begin()
        for _ in range(4):
            rows.advance()
        rows.keep_rows([0, 2])
        for _ in range(4):
            rows.advance()
        return logits


def test_states_are_normed_as_the_modules_norm_them(packed: Backbone) -> None:
    norm, loop = packed.model.get_submodule("model.norm"), loop_of(packed.model)
    assert isinstance(norm, LlamaRMSNorm)
    assert loop is not None
    states = torch.randn(3, len(norm.weight), dtype=packed.model.dtype, generator=torch.Generator().manual_seed(1))
    states *= torch.tensor([[100.0], [1], [1e-3]])  # beside the last, the norm's epsilon counts
    with torch.inference_mode():
        torch.testing.assert_close(loop.normed(states, norm.weight), norm(states))


@pytest.mark.parametrize("kind", [SharedRows, StackedRows])
def test_the_logits_are_bit_for_bit_those_of_the_modules(
    packed: Backbone, monkeypatch: pytest.MonkeyPatch, kind: type[Rows]
) -> None:
    counted: list[tuple[int, ...]] = []
    run = LlamaLoop.run
    monkeypatch.setattr(LlamaLoop, "normed", as_the_modules)
    monkeypatch.setattr(
        LlamaLoop, "run", lambda *args, **more: counted.append(tuple(args[1].shape[:2])) or run(*args, **more)
    )
    found = logits_of_steps(packed, kind)
    questions = (1, sum(map(len, QUESTIONS))) if kind is SharedRows else (3, max(map(len, QUESTIONS)))
    assert counted == [(1, len(IDS)), (1, 10), questions, *[(3, 1)] * 4, *[(2, 1)] * 4]
    monkeypatch.setattr(forward, "loop_of", lambda _: None)
    (first, *later), (its_first, *its_later) = found, logits_of_steps(packed, kind)
    # Behind the questions the last layer's attention has the last queries alone, for which other kernels round.
    assert torch.allclose(first, its_first, atol=0.1 if packed.model.dtype == torch.bfloat16 else 1e-4)
    for one, other in zip(later, its_later, strict=True):
        # One product for several may differ in the last bit, and a state beside it in its 8-bit level.
        assert torch.allclose(one, other, rtol=0, atol=0.1 if packed.name == "joined" else 0)


def test_other_models_are_left_to_transformers(
    tiny_llama: Backbone, tiny_llama_folder: Path, tiny_mistral_folder: Path
) -> None:
    assert loop_of(tiny_llama.model) is None  # fp32
    mistral, gelu = (load_backbone(str(folder), "int4").model for folder in (tiny_mistral_folder, tiny_llama_folder))
    for model in (mistral, gelu):
        model.set_attn_implementation(NAME)
    gelu.config.hidden_act = "gelu"
    assert loop_of(mistral) is loop_of(gelu) is None


def test_another_attention_is_not_the_loops(packed: Backbone) -> None:
    assert loop_of(packed.model) is loop_of(packed.model) is not None
    packed.model.set_attn_implementation("eager")
    try:
        assert loop_of(packed.model) is None
    finally:
        packed.model.set_attn_implementation(NAME)


def test_padding_that_sees_nothing_leaves_its_row_finite(packed: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the tokens at the front a row without tokens has nothing left of its padded question.
    engine = new_engine(replace(packed, tokenization=replace(packed.tokenization, layout="front")))
    seen: list[torch.Tensor] = []
    choose = Sampler.choose
    monkeypatch.setattr(Sampler, "choose", lambda self, logits: seen.append(logits) or choose(self, logits))
    requests = [GenerationRequest(PROMPT, 5), GenerationRequest(Prompt("Passages.", "Who?"), 0)]
    finish(engine, requests, 3, ignore_eos=True)
    assert [len(logits) for logits in seen] == [2] * 3
    assert all(logits.isfinite().all() for logits in seen)
