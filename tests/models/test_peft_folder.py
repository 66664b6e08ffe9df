"""Prompt tuning of PEFT: imported with its place, used there as PEFT uses it, and refused where it cannot be."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from safetensors.torch import save_file

from spring.errors import TokenFileError
from spring.generation.engine import LocalEngine
from spring.models.backbone import Backbone
from spring.models.peft_folder import CONFIG, WEIGHTS, read_peft
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import PROMPT, asks, finish, forced_ids, one_line
from tests.support.peft_folder import N, folder_of


def at_the_front(backbone: Backbone, tokens: VirtualTokens) -> LocalEngine:
    front = replace(backbone.tokenization, layout="front")
    return LocalEngine(Backbone(backbone.model, front, backbone.precision), tokens)


@torch.no_grad()
def greedy(model: torch.nn.Module, backbone: Backbone) -> list[int]:
    """Eight ids, the whole sequence anew for each: from a cache, PEFT 0.21 with transformers 5.24 writes other ones."""
    ids = prompt = backbone.tokenizer(str(PROMPT))["input_ids"]
    for _ in range(8):
        ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
    return ids[len(prompt) :]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT reads it
def test_it_answers_as_peft_does(tiny: Backbone, tmp_path: Path) -> None:
    torch.manual_seed(5)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=N)
    model = get_peft_model(copy.deepcopy(tiny.model), config)
    model.save_pretrained(tmp_path / "adapter")
    tokens = read_peft(tmp_path / "adapter", tiny.name)
    engine = at_the_front(tiny, tokens)
    plain = greedy(tiny.model, tiny)
    assert tokens.at_front
    assert forced_ids(engine, asks(ks=(0, N))) == [plain, greedy(model, tiny)]
    assert forced_ids(engine, asks(ks=(0,))) == [plain]
    assert finish(engine, asks(ks=(N,))).prefix_tokens == 0  # no passage is shared


def test_a_known_model_is_named_by_the_table_and_the_place_is_kept(tmp_path: Path) -> None:
    base = {"base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct"}
    tokens = read_peft(folder_of(tmp_path / "a", base))
    assert tokens.backbone == "smollm2-135m-instruct"
    tokens.save(tmp_path / "b.safetensors")
    assert VirtualTokens.load(tmp_path / "b.safetensors").at_front


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"peft_type": "LORA"}, "is an adapter of the kind LORA, whose numbers are no input embeddings"),
        ({"peft_type": ["\x1b[31m", "x" * 1000]}, "is an adapter of the kind"),
        ({"num_transformer_submodules": 2}, "with an encoder and a decoder"),
        ({"base_model_name_or_path": None}, "does not say which model it is for: give --backbone NAME"),
        ({"base_model_name_or_path": "a\nb"}, "A backbone's name is one line"),
        ({"base_model_name_or_path": "~x" * 5000}, "A backbone's name is one line"),
        ({"num_virtual_tokens": 50}, r"says 50 tokens of None, but holds \(7, 64\)"),
    ],
)
def test_what_is_no_prompt_tuning_is_refused(tmp_path: Path, config: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenFileError, match=reason) as error:
        read_peft(folder_of(tmp_path / "adapter", config))
    assert "\x1b" not in one_line(error)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / CONFIG).write_text("[" * 100_000), "no readable configuration"),
        (lambda folder: (folder / CONFIG).write_text("[]"), "is no configuration of PEFT"),
        (lambda folder: (folder / CONFIG).write_bytes(b" " * 1_000_001), "more than 1,000,000 bytes"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 100), "not a readable safetensors file"),
        (lambda folder: (folder / WEIGHTS).unlink(), "has no adapter_model.safetensors: save it again"),
        (
            lambda folder: save_file({"a": torch.ones(1, 2), "b": torch.ones(1)}, folder / WEIGHTS),
            "must hold one tensor, but it holds 2",
        ),
        (lambda folder: save_file({"a": torch.full((N, 2), torch.nan)}, folder / WEIGHTS), "not finite"),
    ],
)
def test_a_broken_folder_is_refused_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(folder_of(tmp_path / "adapter"))
    with pytest.raises(TokenFileError, match=reason) as error:
        read_peft(tmp_path / "adapter")
    one_line(error)
