"""The precisions int4: rounding, layers that hold both weights, the file of packed weights, and what `auto` is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from spring.errors import BackboneError, PromptError
from spring.generation.engine import LocalEngine
from spring.generation.stream import PREFILL_CHUNK, piece_length
from spring.models import loader, memory, precision
from spring.models.backbone import Backbone
from spring.models.bundled import embedded_model
from spring.models.catalog import KNOWN_BACKBONES
from spring.models.int8 import Int8Weights
from spring.models.loader import load_backbone
from spring.models.packed_files import packed_folder
from spring.models.packed_linear import MOST_ROWS, PackedLinear
from spring.models.precision import Choice, Times, choose_precision, shares_of_fp32
from spring.models.rounding import GROUP, PackedWeights, can_be_packed, join, pack_4_bits, pack_8_bits
from spring.training.backbones import require_one_set_of_weights, training_precision
from tests.conftest import asks, fingerprint, forced_ids, new_engine, one_line


def unpacked(packed: PackedWeights, columns: int) -> torch.Tensor:
    """The weights (out, in) that the product computes with."""
    eye = torch.eye(columns, dtype=torch.bfloat16)
    return torch.cat([packed.product(rows) for rows in eye.split(16)]).t().float()


# --- rounding ---


@pytest.mark.parametrize(("pack", "levels"), [(pack_4_bits, 15), (pack_8_bits, 254)])
def test_weights_are_rounded_to_the_nearest_level(pack: Callable[..., PackedWeights], levels: int) -> None:
    weight = torch.randn(32, 3 * GROUP, generator=torch.Generator().manual_seed(1))
    groups = weight.unflatten(1, (-1, GROUP))
    low, high = groups.aminmax(dim=2, keepdim=True)
    width = (high - low) if levels == 15 else 2 * groups.abs().amax(dim=2, keepdim=True)
    wrong = (unpacked(pack(weight), 3 * GROUP).unflatten(1, (-1, GROUP)) - groups).abs()
    assert (wrong <= width / levels / 2 + width / 128).all()  # half a level, and what bf16 rounds


@pytest.mark.parametrize("pack", [pack_4_bits, pack_8_bits])
@pytest.mark.parametrize("value", [0.0, 0.5, -2.0])
def test_a_group_of_equal_weights_stays_as_it_is(pack: Callable[..., PackedWeights], value: float) -> None:
    wrong = unpacked(pack(torch.full((16, GROUP), value)), GROUP) - value
    assert wrong.abs().max() <= abs(value) / 128


@pytest.mark.parametrize(("shape", "fits"), [((16, 32), True), ((24, 32), False), ((16, 48), False)])
def test_only_whole_groups_are_packed(shape: tuple[int, int], fits: bool) -> None:
    assert can_be_packed(torch.empty(shape)) is fits


def test_joined_matrices_give_the_products_of_each() -> None:
    parts = [pack_4_bits(torch.randn(rows, 64)) for rows in (192, 64, 128)]
    joined, input = join(parts), torch.randn(2, 64).bfloat16()
    assert joined is not None
    assert torch.equal(joined.product(input), torch.cat([part.product(input) for part in parts], 1))
    assert join([parts[0], pack_4_bits(torch.randn(32, 64))]) is None  # its rows do not end where packed ones do


def test_rows_in_fp32_are_rounded_for_the_product_alone() -> None:
    packed, input = pack_4_bits(torch.randn(32, 64)), torch.randn(2, 64)
    assert torch.equal(packed.product(input), packed.product(input.bfloat16()).float())


def test_the_default_backbones_groups_are_its_own(needs_model: None) -> None:
    folder = embedded_model(str)
    assert folder is not None
    with safe_open(folder / "model.safetensors", "pt") as file:
        for name in ("layers.0.self_attn.k_proj", "layers.13.mlp.gate_proj", "layers.29.mlp.down_proj"):
            groups = file.get_tensor(f"model.{name}.weight").unflatten(1, (-1, GROUP))
            low, high = groups.aminmax(dim=2, keepdim=True)
            levels = (groups - low) / ((high - low) / 15)
            assert torch.equal(levels, levels.round()), name
        groups = file.get_slice("model.embed_tokens.weight")[:2048].unflatten(1, (-1, GROUP))
        levels = groups / (groups.abs().amax(dim=2, keepdim=True) / 127)
        assert torch.equal(levels, levels.round())


# --- the layers ---


@pytest.fixture(scope="module", params=[True, False], ids=["bias", "no bias"])
def layer(request: pytest.FixtureRequest) -> PackedLinear:
    torch.manual_seed(1)
    linear = nn.Linear(64, 48, bias=request.param, dtype=torch.bfloat16)
    return PackedLinear(linear, pack_4_bits(linear.weight.detach()))


@pytest.mark.parametrize("rows", [1, MOST_ROWS])
def test_few_rows_are_multiplied_with_the_packed_weights(layer: PackedLinear, rows: int) -> None:
    input = torch.randn(1, rows, 64).bfloat16()
    with torch.inference_mode():
        output = layer(input)
    exact = functional.linear(
        input.float(), unpacked(layer.packed, 64), layer.bias.float() if layer.bias is not None else None
    )
    assert output.shape == (1, rows, 48)
    assert torch.allclose(output.float(), exact, atol=0.05, rtol=0.02)


def test_many_rows_are_multiplied_with_the_bf16_weights(layer: PackedLinear) -> None:
    input = torch.randn(MOST_ROWS + 1, 64).bfloat16()
    with torch.inference_mode():
        assert torch.equal(layer(input), functional.linear(input, layer.weight, layer.bias))


def test_with_gradients_the_bf16_weights_are_used(layer: PackedLinear) -> None:
    input = torch.randn(1, 64).bfloat16().requires_grad_()
    layer(input).sum().backward()
    assert torch.allclose(input.grad, layer.weight.sum(0), atol=0.05)


# --- a whole model ---


PRECISIONS = {"int4": torch.bfloat16, "int4-int8": torch.float32, "int4-fp32": torch.float32}


@pytest.fixture(
    scope="module",
    params=[("tiny_llama", name) for name in PRECISIONS] + [("tiny_mistral", "int4"), ("tiny_mistral", "int4-int8")],
)
def int4(request: pytest.FixtureRequest) -> Backbone:
    model, precision = request.param
    return load_backbone(str(request.getfixturevalue(f"{model}_folder")), precision)


def test_every_layer_that_can_be_is_packed(int4: Backbone) -> None:
    kinds = {name.rpartition(".")[2]: type(module) for name, module in int4.model.named_modules()}
    assert {kind for name, kind in kinds.items() if name.endswith("_proj")} == {PackedLinear}
    head = int4.model.get_output_embeddings()
    if isinstance(head, PackedLinear):  # 8 bits: as integers, or as two levels of four
        assert head.int8 is None
        assert isinstance(head.packed, Int8Weights) == (int4.precision == "int4-int8")
        assert isinstance(head.packed, Int8Weights) or head.packed.columns == 2 * head.in_features
    assert {parameter.dtype for parameter in int4.model.parameters()} == {PRECISIONS[int4.precision]}
    assert int4.precision_reason == "as asked for"


def test_it_is_counted_as_before_it_was_packed(int4: Backbone, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(f"tiny_{int4.model.config.model_type}_folder")
    assert memory.size_of(int4.model) == memory.size_of(load_backbone(str(folder), "fp32").model)


def test_it_answers_alike_every_time_and_stays_as_it_is(int4: Backbone) -> None:
    engine, before = new_engine(int4), fingerprint(int4)
    first = forced_ids(engine, asks())
    engine.prefixes.clear()
    assert forced_ids(engine, asks()) == first
    assert fingerprint(int4) == before


def test_it_is_not_for_training_or_gpus(
    tiny_llama_folder: Path, int4: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PromptError, match=f"{int4.precision} is for answering: learn in fp32 or bf16") as error:
        require_one_set_of_weights(int4)
    one_line(error)
    assert (training_precision("auto"), training_precision("bf16")) == ("fp32", "bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(BackboneError, match=f"{int4.precision} is for processors: choose 4bit") as error:
        load_backbone(str(tiny_llama_folder), int4.precision)
    one_line(error)


# --- the file ---


@pytest.fixture(params=PRECISIONS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def load(
    tiny_llama_folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], tuple[LocalEngine, list[str]]]:
    """Loads the tiny backbone as if it were the embedded one; with what was said meanwhile."""
    monkeypatch.setattr(loader, "is_embedded", lambda place: True)
    for folder in tiny_llama_folder.glob("int4-*"):
        shutil.rmtree(folder)

    def loaded() -> tuple[LocalEngine, list[str]]:
        said: list[str] = []
        return new_engine(load_backbone(str(tiny_llama_folder), kind, said.append)), said

    return loaded


def test_only_the_first_start_packs(
    load: Callable[[], tuple[LocalEngine, list[str]]], tiny_llama_folder: Path, kind: str
) -> None:
    of_another_version, *of_other_kinds = (
        tiny_llama_folder / f"{name}-{'0' * 16}" for name in (kind, *({*PRECISIONS} - {kind}))
    )
    for folder in (of_another_version, *of_other_kinds):
        folder.mkdir()
    (first, packing), (second, nothing) = load(), load()
    assert (len(packing), nothing) == (1, [])
    assert forced_ids(first, asks()) == forced_ids(second, asks())
    assert fingerprint(first.backbone) == fingerprint(second.backbone)
    assert {*tiny_llama_folder.glob("*int4*")} == {
        packed_folder(tiny_llama_folder, kind),
        *of_other_kinds,
    }
    assert fingerprint(first.backbone) == fingerprint(new_engine(load_backbone(str(tiny_llama_folder), kind)).backbone)
    assert not list(tiny_llama_folder.glob(".packing-*"))


@pytest.mark.parametrize(
    ("kind", "name"),
    [("int4", name) for name in ("model.safetensors", "packed.safetensors", "config.json")]
    + [(name, "packed.safetensors") for name in ("int4-int8", "int4-fp32")],
)
def test_a_broken_file_is_made_again(
    load: Callable[[], tuple[LocalEngine, list[str]]], tiny_llama_folder: Path, kind: str, name: str
) -> None:
    first, _ = load()
    file = packed_folder(tiny_llama_folder, kind) / name
    file.write_bytes(file.read_bytes()[:-100])
    second, packing = load()
    assert len(packing) == 1
    assert forced_ids(first, asks()) == forced_ids(second, asks())
    assert load()[1] == []


def test_a_file_that_cannot_be_written_is_told(
    load: Callable[[], tuple[LocalEngine, list[str]]], tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("spring.models.packed_files.save_file", full)
    _, said = load()
    assert "could not be kept" in said[1]
    assert "No space left" in said[1]
    assert not list(tiny_llama_folder.glob("*int4*"))


# --- auto ---


EPYC = Times(0.9, 0.85, 3.8, 0.02, 0.12)  # AMD, with AVX512-BF16
XEON = Times(8.1, 2.0, 4.3, 0.06, 0.29)  # Intel, with AVX512 and VNNI
AVX2 = Times(53.0, 7.5, 4.3, 0.07, 0.29)  # the same without its AVX512 and VNNI
SLOW = Times(55.0, 9.0, 2.7, 2.15, 0.29)  # the same without AVX2


def measured(monkeypatch: pytest.MonkeyPatch, times: Times) -> None:
    monkeypatch.setattr(precision, "measure", lambda: times)
    monkeypatch.setattr(precision, "shares_of_fp32", shares_of_fp32.__wrapped__)


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        (EPYC, "int4"),
        (XEON, "int4-int8"),
        (AVX2, "int4-fp32"),
        (SLOW, "fp32"),
        (Times(2.4, 2.3, 2.5, 0.06, 0.29), "int4"),  # not worth the rounding, or the memory
        (Times(2.5, 2.5, 2.5, 0.20, 0.25), "fp32"),  # not worth other answers
    ],
)
def test_auto_takes_the_least_time_for_a_comparison(monkeypatch: pytest.MonkeyPatch, times: Times, chosen: str) -> None:
    measured(monkeypatch, times)
    choice = choose_precision("auto", gpu=False)
    share = times.comparisons["int4-fp32"] / times.comparisons["fp32"]
    assert choice.precision == chosen
    assert choice.reason.startswith("the fastest here")
    assert f"{share:.2f} in int4-fp32" in choice.reason


@pytest.mark.parametrize(
    ("times", "gigabytes", "chosen"),
    [
        (AVX2, 1.5, "int4-fp32"),  # needs 1.45 GB
        (AVX2, 1.4, "fp32"),  # 1.34
        (AVX2, 1.2, "int4-int8"),  # 1.13; slower than fp32, but it answers
        (AVX2, 0.5, "int4-fp32"),  # none fits: it is refused as it would be
        (EPYC, 1.1, "int4"),
        (SLOW, 1.2, "int4-int8"),
    ],
)
def test_auto_takes_what_fits_into_memory(
    monkeypatch: pytest.MonkeyPatch, times: Times, gigabytes: float, chosen: str
) -> None:
    measured(monkeypatch, times)
    monkeypatch.setattr(memory, "free_bytes", lambda gpu: int(gigabytes * 1e9))
    size = KNOWN_BACKBONES["smollm2-135m-instruct"].size
    choice = choose_precision("auto", False, lambda precision: memory.fits_memory(size, precision, gpu=False))
    assert choice.precision == chosen


def test_a_model_that_fits_in_fp32_alone_is_loaded_so(tiny_llama_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, AVX2)
    needed = memory.size_of(load_backbone(str(tiny_llama_folder), "fp32").model).bytes_needed("fp32", gpu=False)
    monkeypatch.setattr(memory, "free_bytes", lambda gpu: needed)
    loaded = load_backbone(str(tiny_llama_folder), "auto")
    assert loaded.precision == "fp32"
    assert loaded.precision_reason.startswith("the fastest here that fits into memory, which int4-fp32 does not: ")


def test_auto_on_a_gpu_is_4bit_and_what_is_named_is_taken() -> None:
    assert choose_precision("auto", gpu=True).precision == "4bit"
    assert choose_precision("bf16", gpu=False) == Choice("bf16", "as asked for")


def test_products_are_timed_on_one_thread_and_the_others_come_back() -> None:
    threads = torch.get_num_threads()
    times = precision.measure()
    assert min(times.reading_bf16, times.reading_int8, times.reading_fp32, times.writing_int4, times.writing_fp32) > 0
    assert torch.get_num_threads() == threads


def test_what_is_read_twice_as_fast_is_read_in_pieces_of_twice_the_length(int4: Backbone) -> None:
    assert piece_length(int4) == PREFILL_CHUNK["cpu"] * (1 if int4.precision == "int4-fp32" else 2)
