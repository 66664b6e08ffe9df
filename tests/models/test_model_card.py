"""The model card: the hub's own classes read it, the metadata make it, and nothing in these breaks it."""

import json
from dataclasses import replace

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.repocard import REGEX_YAML_BLOCK
from huggingface_hub.repocard_data import model_index_to_eval_results

from spring.errors import TokenFileError
from spring.models.figures import Figures, Score, as_detail, figures_of
from spring.models.finder import SHIPPED_TOKENS
from spring.models.model_card import base_model_of, model_card
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import ROOT, one_line

SHIPPED = VirtualTokens.load(SHIPPED_TOKENS / "smollm2-135m-instruct.safetensors")
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
EXAMPLE = ROOT / "docs" / "model-card.md"
EVIL = "a | b\n---\n<script>alert(1)</script>\n# \x1b[31m {{ 7 * 7 }}"


def shipped_card() -> str:
    return model_card(SHIPPED, "owner/smollm2-135m-instruct-spring", base_model_of(SHIPPED))


def test_the_example_in_docs_is_the_card_of_the_shipped_tokens() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == shipped_card()


def test_the_hubs_own_classes_read_it() -> None:
    card = ModelCard(shipped_card())
    assert REGEX_YAML_BLOCK.search(str(card))
    data = card.data.to_dict()
    assert (data["base_model"], data["base_model_relation"], data["license"]) == (BASE, "adapter", "mit")
    assert data["datasets"] == ["google-research-datasets/nq_open", "google/xquad"]
    name, results = model_index_to_eval_results(data["model-index"])
    assert name == "smollm2-135m-instruct-spring"
    values = {(result.metric_type, result.dataset_config): result.metric_value for result in results}
    assert values["exact_match", "1, k = 50"] == 0.356
    assert values["f1", "2, k = 0"] == 0.038
    assert str(card) == shipped_card()  # read and written it is the same


def test_the_card_has_the_curve_the_use_and_the_limits() -> None:
    text = shipped_card()
    assert "[`" not in text
    for part in ("| k = 50 | 0.387 ± 0.027 | ████████ | 0.489 |", 'tokens="owner/smollm2', "## Limits", "CC BY-SA 4.0"):
        assert part in text


def test_tokens_without_figures_say_so() -> None:
    bare = VirtualTokens(torch.ones(2, 4), "someone/model", "by hand", {"dev": "exact match 0.5"})
    text = model_card(bare, "a/b", "someone/model", "mit", ["a/c"])
    assert "None: the file holds no scores." in text
    assert "| dev | exact match 0.5 |" in text
    assert "model-index" not in text
    assert "before the whole prompt" in model_card(replace(bare, details={"position": "front"}), "a/b", "c/d")


def test_nothing_in_the_metadata_breaks_the_card() -> None:
    figures = as_detail([Figures(EVIL, EVIL, 3, (Score(0, EVIL, 0.5, 0.5), Score(3, "", 1.0, 1.0)))])
    tokens = VirtualTokens(torch.ones(2, 4), "m", EVIL, {EVIL: EVIL * 100, "licences": EVIL, "figures": figures})
    card = ModelCard(model_card(tokens, "a/b", "c/d"))
    assert not {"\x1b", "<script>", "49"} & {part for part in ("\x1b", "<script>", "49") if part in card.text}
    rows = [line for line in card.text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {3, 5}
    assert card.data.base_model == "c/d"


def one_set(questions: object = 1, *scores: object) -> str:
    return json.dumps([{"data": "", "settings": "", "questions": questions, "scores": scores}])


TOO_GOOD = {"virtual_tokens": 1, "baseline": "", "exact_match": 7, "f1": 0}
BROKEN = ["{", "[1]", "{}x", '[{"data": 1}]', "[" * 10_000, "1e999", one_set(None), one_set("x"), one_set(1, 3)]


@pytest.mark.parametrize("detail", [*BROKEN, one_set(1, TOO_GOOD)])
def test_broken_figures_are_refused(detail: str) -> None:
    with pytest.raises(TokenFileError, match="figures in the metadata of the tokens cannot be read") as error:
        figures_of({"figures": detail})
    one_line(error)


@pytest.mark.parametrize(("backbone", "named"), [("my-folder", None), ("x", "../x"), ("x", "a b/c"), ("x", "a/b/c")])
def test_a_backbone_that_the_hub_does_not_have_must_be_named(backbone: str, named: str | None) -> None:
    with pytest.raises(TokenFileError, match="name the model that the tokens belong to with --base-model") as error:
        base_model_of(VirtualTokens(torch.ones(2, 4), backbone), named)
    one_line(error)
