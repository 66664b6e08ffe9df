"""The packed, cached loss and its gradient against the plain one: one whole sequence at a time."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from spring.generation.engine import LocalEngine
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import build_prompt
from spring.training.loss import Example, Target, greedy_matches, losses
from spring.training.prefix_states import PrefixStates
from spring.training.quantization import rounded_to_4bit
from tests.conftest import PASSAGES, QUESTION, asks, fingerprint, finish, new_engine


def example(backbone: Backbone, passages: int, *targets: tuple[int, str, str]) -> Example:
    """An example of (k, question, answer)."""
    made = []
    before: list[int] = []
    for k, question, answer in targets:
        before, after, ids = backbone.encode_answer(build_prompt(PASSAGES[:passages], question), answer)
        made.append(Target(k, tuple(after), tuple(ids)))
    return Example(tuple(before), tuple(made))


def examples(backbone: Backbone) -> list[Example]:
    """Rows of different lengths, some with several targets."""
    return [
        example(backbone, 2, (50, QUESTION, "nine"), (1, QUESTION, "at nine"), (0, "Who?", "the keeper")),
        example(backbone, 1, (7, "What does it carry?", "wool, salt and letters")),
        example(backbone, 3, (50, "How high is the mast?", "ninety metres"), (50, "What?", "a bun")),
    ]


def plain_losses(backbone: Backbone, tokens: Tensor, rows: list[Example]) -> Tensor:
    """The published way: the whole sequence of every target by itself, all of it differentiated."""
    found = []
    for row in rows:
        for target in row.targets:
            ids = torch.tensor([[*row.before, *target.question, *target.answer]])
            embedded = backbone.embed(ids)
            seam = len(row.before)
            virtual = tokens[None, : target.virtual_tokens].to(embedded)
            whole = torch.cat([embedded[:, :seam], virtual, embedded[:, seam:]], dim=1)
            logits = backbone.model(inputs_embeds=whole).logits[0, -len(target.answer) - 1 : -1].float()
            found.append(functional.cross_entropy(logits, torch.tensor(target.answer)))
    return torch.stack(found)


def gradient(losses_: Tensor, tokens: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(losses_.mean(), tokens)
    return found


@pytest.fixture
def tokens(tiny: Backbone) -> Tensor:
    values = torch.randn(50, tiny.hidden, generator=torch.Generator().manual_seed(5)) / 4
    return values.requires_grad_()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_losses_and_gradient_are_those_of_the_whole_sequences(tiny: Backbone, tokens: Tensor, attention: str) -> None:
    tiny.model.set_attn_implementation(attention)
    rows = examples(tiny)
    ours, plain = losses(PrefixStates(tiny), tokens, rows), plain_losses(tiny, tokens, rows)
    tiny.model.set_attn_implementation("sdpa")
    assert ours.shape == (6,)
    assert torch.allclose(ours, plain, atol=1e-5)
    mine, theirs = gradient(ours, tokens), gradient(plain, tokens)
    assert (mine - theirs).norm() <= 1e-4 * theirs.norm()
    if tiny.window is None:  # a token out of every window has no influence
        assert bool((mine.norm(dim=1) > 0).all())


def test_tokens_beyond_k_get_no_gradient(tiny: Backbone, tokens: Tensor) -> None:
    found = gradient(losses(PrefixStates(tiny), tokens, [example(tiny, 2, (7, QUESTION, "nine"))]), tokens)
    assert bool((found[:7].norm(dim=1) > 0).all())
    assert not found[7:].any()


def test_the_mistral_of_the_tests_has_a_window_shorter_than_its_prompts(tiny_mistral: Backbone) -> None:
    assert tiny_mistral.window is not None
    assert all(len(row.before) > tiny_mistral.window for row in examples(tiny_mistral))


def test_a_row_does_not_depend_on_the_others_of_its_batch(tiny: Backbone, tokens: Tensor) -> None:
    rows = examples(tiny)
    alone = torch.cat([losses(PrefixStates(tiny), tokens, [row]) for row in rows])
    assert torch.allclose(losses(PrefixStates(tiny), tokens, rows), alone, atol=1e-5)


def test_learning_frees_nothing_else(tiny: Backbone, tokens: Tensor) -> None:
    before = fingerprint(tiny)
    losses(PrefixStates(tiny), tokens, examples(tiny)).mean().backward()
    assert fingerprint(tiny) == before
    assert not any(parameter.requires_grad for parameter in tiny.model.parameters())
    assert all(parameter.grad is None for parameter in tiny.model.parameters())


def test_a_target_is_matched_if_greedy_decoding_writes_it(llama_engine: LocalEngine) -> None:
    backbone, tokens = llama_engine.backbone, llama_engine.tokens.embeddings
    progress = finish(llama_engine, asks(ks=(0, 10, 50)), 3, ignore_eos=True)
    before, after = backbone.tokenization.encode(asks()[0].prompt)
    written = [Target(k, tuple(after), tuple(ids)) for k, ids in zip((0, 10, 50), progress.ids, strict=True)]
    swapped = [Target(k, tuple(after), progress.ids[0][::-1]) for k in (10, 50)]
    loss, matched = greedy_matches(PrefixStates(backbone), tokens, [Example(tuple(before), tuple(written + swapped))])
    assert matched.tolist() == [True, True, True, False, False]
    assert loss.shape == (5,)
    assert not loss.requires_grad


# --- answers ---


def test_an_answer_is_encoded_as_it_would_be_generated(tiny: Backbone) -> None:
    prompt = build_prompt(PASSAGES[:2], QUESTION)
    before, after, answer = tiny.encode_answer(prompt, "nine o'clock")
    assert (before, after) == tiny.tokenization.encode(prompt)
    assert answer[-1] == tiny.tokenizer.eos_token_id
    assert tiny.tokenization.decode(answer) == "nine o'clock"
    assert tiny.tokenizer.bos_token_id not in answer


# --- 4 bits ---


def cosine(a: Tensor, b: Tensor) -> float:
    return float(functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def test_the_gradient_through_4_bits_is_that_of_the_same_weights_in_full_even_after_a_generation(
    default_engine: LocalEngine, default_four_bit: LocalEngine
) -> None:
    full, four = default_engine.backbone, default_four_bit.backbone
    initial = VirtualTokens(full.initial_virtual_tokens().embeddings, four.name)
    finish(LocalEngine(four, initial), asks(ks=(0, 50)), 1)  # on a CPU with AVX512-BF16 this once repacked the weights
    rows = [example(full, 1, (50, QUESTION, "nine"), (5, QUESTION, "at nine"))]
    tokens = initial.embeddings.clone().requires_grad_()
    found = gradient(losses(PrefixStates(four), tokens, rows), tokens)
    # The same weights in full precision. Those before rounding are another model here: NF4 moves so small a one far
    # (cosine 0.6 with either).
    wanted = gradient(losses(PrefixStates(rounded_to_4bit(full)), tokens, rows), tokens)
    assert cosine(found, wanted) >= 0.95
    assert 0.9 < float(found.norm() / wanted.norm()) < 1.1


def test_weights_rounded_to_4_bits_learn_as_the_4_bit_model_does(tiny_llama_folder: Path) -> None:
    four, full = (load_backbone(str(tiny_llama_folder), precision) for precision in ("4bit", "fp32"))
    before = fingerprint(full)
    rounded = rounded_to_4bit(full)
    assert fingerprint(full) == before
    tokens = new_engine(full).tokens.embeddings.clone().requires_grad_()
    rows = examples(full)
    exact = gradient(losses(PrefixStates(full), tokens, rows), tokens)
    found, wanted = (gradient(losses(PrefixStates(backbone), tokens, rows), tokens) for backbone in (rounded, four))
    assert cosine(found, wanted) > 0.9999
    assert cosine(exact, wanted) < 0.999
    assert "rounded to 4 bits" in rounded.precision
