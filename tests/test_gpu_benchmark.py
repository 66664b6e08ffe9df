"""The benchmark for a graphics card, tried on the CPU at a small shape: the way it goes, not its figures."""

import json

import pytest
import torch

from benchmarks import gpu, gpu_decoding
from benchmarks.random_model import SHAPES, config_of, random_backbone
from benchmarks.side_by_side import passages_of
from spring.generation.engine import LocalEngine
from spring.models.catalog import KNOWN_BACKBONES
from spring.models.loader import load_backbone
from spring.models.memory import model_without_weights, size_of

OPTIONS = ["--all", "--shape", "small", "--training-shape", "small", "--device", "cpu", "--runs", "1"]
OPTIONS += ["--passage-tokens", "60", "--new-tokens", "4", "--training-samples", "4", "--training-steps", "1"]


def test_the_shape_is_exactly_mistral_7b_s() -> None:
    assert size_of(model_without_weights(config_of(SHAPES["mistral-7b"]))) == KNOWN_BACKBONES["mistral-7b"].size


@pytest.mark.parametrize("precision", ["4bit", "4bit-double", "bf16", "fp32"])
def test_a_random_model_is_held_as_one_that_is_loaded(tmp_path, precision: str) -> None:
    made = random_backbone("small", precision, "cpu")
    full = random_backbone("small", "fp32", "cpu")
    full.model.save_pretrained(tmp_path / "model")
    full.tokenizer.save_pretrained(tmp_path / "model")
    loaded = load_backbone(str(tmp_path / "model"), precision)
    kinds = [
        {name: (tensor.dtype, tensor.numel()) for name, tensor in backbone.model.state_dict().items()}
        for backbone in (made, loaded)
    ]
    assert kinds[0] == kinds[1]
    assert made.precision == precision


def test_it_measures_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", "--json", *OPTIONS])
    gpu.main()
    printed = capsys.readouterr()
    figures = json.loads(printed.out)
    early = [json.loads(line) for line in printed.err.splitlines() if line.startswith("{")]
    assert early == [{precision: figures[precision]} for precision in ("4bit", "bf16")]
    assert figures["device"].startswith("CPU")
    for precision in ("4bit", "bf16"):
        measured = figures[precision]
        for way in ("eager", "captured"):
            seconds = measured[way]["seconds"]
            assert set(seconds) == {"1", "2", "8"}
            assert measured[way]["two_over_one"] == pytest.approx(seconds["2"] / seconds["1"], rel=0.01)
            positive = ("read_tokens_per_second", "tokens_per_second", "bandwidth_share", "two_over_recipe")
            assert min(measured[way][key] for key in positive) > 0
        assert set(measured["captured"]["record_seconds"]) == {"1", "2", "8"}
        assert "record_seconds" not in measured["eager"]
        assert 0 <= measured["same_tokens"] <= 1
        assert measured["reached"] == "these are goals for a card"
        assert set(gpu.goals(precision, measured["captured"])) == {*gpu.AT_LEAST[precision], *gpu.AT_MOST[precision]}
        assert all(speed > 0 for speed in measured["plain_generate_tokens_per_second"].values())
    assert figures["4bit"]["same_tokens"] == 1  # there it computes in fp32
    assert figures["training"]["steps_per_second"] > 0


def test_goals_are_told_with_what_was_measured() -> None:
    assert gpu.goals("4bit", {"tokens_per_second": 142.0, "two_over_one": 1.35, "two_over_recipe": 0.3}) == {
        "tokens_per_second": "142.0, at least 130.0: reached",
        "two_over_one": "1.35, at most 1.35: reached",
        "two_over_recipe": "0.3, at most 0.25: not reached",
    }
    assert gpu.goals("4bit-double", {}) == {}


def test_a_token_needs_every_weight_but_the_input_embeddings() -> None:
    backbone = random_backbone("small", "bf16", "cpu")
    counted = sum(parameter.numel() for parameter in backbone.model.parameters())
    assert gpu_decoding.bytes_of_a_token(backbone) == 2 * (counted - 512 * 128)


def test_a_way_that_does_not_work_is_told_and_the_others_go_on() -> None:
    backbone = random_backbone("small", "fp32", "cpu")
    prompt = passages_of(LocalEngine(backbone, backbone.initial_virtual_tokens()), 20)
    told = gpu_decoding.plain_tokens_per_second(backbone, prompt, 2, cache_implementation="no such cache")
    assert str(told).startswith("ValueError: ")


def test_any_error_of_a_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the compiler's\nown")

    backbone = random_backbone("small", "fp32", "cpu")
    prompt = passages_of(LocalEngine(backbone, backbone.initial_virtual_tokens()), 20)
    monkeypatch.setattr(type(backbone.model), "generate", fail)
    assert gpu_decoding.plain_tokens_per_second(backbone, prompt, 2) == "AssertionError: the compiler's"


def test_without_a_card_it_says_how_to_try_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["gpu"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="There is no GPU here: try the program with --shape small"):
        gpu.main()
