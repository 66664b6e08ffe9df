"""The type that a model computes in."""

import copy
from pathlib import Path

import pytest
import torch

from spring.models.backbone import Backbone
from spring.models.catalog import PRECISIONS
from spring.models.compute import COMPUTE_TYPES, Place, compute_type, place_of
from spring.models.loader import _loading_options, load_backbone
from tests.conftest import asks, finish, new_engine

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32


def test_the_table_has_every_precision_and_place() -> None:
    rows = {name: tuple(types[place] for place in Place) for name, types in COMPUTE_TYPES.items()}
    assert rows == {
        "fp32": (FP32, FP32, FP32),
        "bf16": (BF16, BF16, BF16),
        "int4": (BF16, BF16, BF16),
        "int4-int8": (FP32, FP32, FP32),
        "int4-fp32": (FP32, FP32, FP32),
        "4bit": (FP32, BF16, FP16),
        "4bit-double": (FP32, BF16, FP16),
    }
    assert {"auto", *rows} == {*PRECISIONS}


@pytest.mark.parametrize(
    ("cards", "hip", "place"),
    [
        ([(7, 5)], None, Place.GPU_WITHOUT_BF16),  # T4
        ([(8, 0)], None, Place.GPU),  # A100
        ([(12, 0)], None, Place.GPU),
        ([(9, 0), (7, 0)], None, Place.GPU_WITHOUT_BF16),  # a model may be spread over both
        ([(7, 0)], "6.4", Place.GPU),  # ROCm counts otherwise
    ],
)
def test_a_card_s_capability_decides(
    monkeypatch: pytest.MonkeyPatch, cards: list[tuple[int, int]], hip: str | None, place: Place
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda card: cards[card])
    assert place_of(gpu=True) is place
    assert place_of(gpu=True, learning=True) is Place.GPU  # gradients leave the range of fp16
    assert place_of(gpu=False) is Place.CPU
    assert compute_type("4bit", gpu=True) == COMPUTE_TYPES["4bit"][place]


@pytest.mark.parametrize(("precision", "double"), [("4bit", False), ("4bit-double", True)])
@pytest.mark.parametrize("compute", [torch.bfloat16, torch.float16])
def test_on_a_gpu_4_bits_are_nf4_computed_as_the_card_can(precision: str, double: bool, compute: torch.dtype) -> None:
    options = _loading_options(precision, compute, gpu=True, needed=0)
    config = options["quantization_config"]
    assert (config.bnb_4bit_quant_type, config.bnb_4bit_compute_dtype) == ("nf4", compute)
    assert options["dtype"] == compute  # of what is not packed
    assert config.bnb_4bit_use_double_quant is double
    assert options["attn_implementation"] == "sdpa"


def test_a_backbone_says_that_it_computes_in_fp16(tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spring.models.loader.compute_type", lambda *_: FP16)
    loaded = load_backbone(str(tiny_llama_folder), "4bit")
    assert (loaded.precision, loaded.model.dtype) == ("4bit", FP16)
    assert loaded.precision_reason == "as asked for; computed in fp16, as this card has no bf16"
    assert finish(new_engine(loaded), asks(ks=(0, 10)), 2).done


def test_answers_are_written_in_fp16(tiny: Backbone) -> None:
    half = Backbone(copy.deepcopy(tiny.model).half(), tiny.tokenization, "fp16")
    ids = [finish(new_engine(backbone), asks(ks=(0, 10)), 1).ids for backbone in (half, tiny)]
    assert ids[0] == ids[1]
