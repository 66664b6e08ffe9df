"""Initial values of virtual tokens: named, from a text, from a file, and what is refused."""

from pathlib import Path

import pytest
import torch

from spring.errors import PromptError, TokenFileError
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import INSTRUCTION, worked_examples
from spring.training.initializers import INITIALIZERS, check_init, initial_tokens
from tests.conftest import one_line


def of_text(backbone: Backbone, text: str, number: int = 50) -> torch.Tensor:
    return backbone.initial_virtual_tokens(number, text).embeddings


def test_named_values_are_the_embeddings_of_their_text(tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = of_text(tiny_llama, worked_examples(tiny_llama.tokenizer.eos_token))
    assert torch.equal(initial_tokens(tiny_llama, "instruction").embeddings, of_text(tiny_llama, INSTRUCTION))
    assert torch.equal(initial_tokens(tiny_llama, "examples").embeddings, examples)
    assert torch.equal(initial_tokens(tiny_llama).embeddings, examples)
    monkeypatch.setattr("spring.training.settings.PAPER_WIDTH", tiny_llama.hidden)
    assert torch.equal(initial_tokens(tiny_llama).embeddings, of_text(tiny_llama, INSTRUCTION))


def test_random_values_depend_on_the_seed_and_have_the_spread_of_the_vocabulary(tiny_llama: Backbone) -> None:
    first, again, other = (initial_tokens(tiny_llama, "random", 30, seed).embeddings for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.01)
    assert len({tuple(row.tolist()) for row in first}) == 30
    vocabulary = tiny_llama.embed(torch.arange(len(tiny_llama.tokenizer)))
    assert float(first.std()) == pytest.approx(float(vocabulary.std()), rel=0.1)


@pytest.mark.parametrize("text", ["Say it.", "one\ttwo", " leading and trailing ", "短い 答え", "safe tensors"])
def test_a_text_has_a_space_in_it(tiny_llama: Backbone, text: str) -> None:
    assert torch.equal(initial_tokens(tiny_llama, text, 7).embeddings, of_text(tiny_llama, text, 7))


@pytest.mark.parametrize("init", ["exmaples", "Random", "tokens.safetensor", " random", "random\n", "/", "", "   "])
def test_a_single_word_that_names_nothing_is_refused_with_the_choices(init: str) -> None:
    with pytest.raises(PromptError) as error:
        check_init(init)
    message = one_line(error)
    assert all(choice in message for choice in (*INITIALIZERS, ".safetensors or .pt", "a text of at least two words"))


def test_a_file_gives_its_first_tokens_and_must_hold_enough(tiny_llama: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "few tokens.safetensors"  # a space in a file's name makes it no text
    values = torch.randn(7, tiny_llama.hidden, generator=torch.Generator().manual_seed(0))
    VirtualTokens(values, tiny_llama.name).save(path)
    assert torch.equal(initial_tokens(tiny_llama, str(path), 5).embeddings, values[:5])
    with pytest.raises(PromptError, match="holds 7 virtual tokens: give --number 7, or fewer") as error:
        initial_tokens(tiny_llama, str(path), 8)
    one_line(error)
    with pytest.raises(TokenFileError, match="There is no token file"):
        initial_tokens(tiny_llama, str(tmp_path / "missing.pt"), 5)


def test_the_tokens_of_another_backbone_are_refused(tiny_llama: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    VirtualTokens(torch.ones(3, tiny_llama.hidden), "another-model").save(path)
    with pytest.raises(TokenFileError, match="another-model"):
        initial_tokens(tiny_llama, str(path), 3).require(tiny_llama.name, tiny_llama.hidden)
