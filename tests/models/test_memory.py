"""The memory of a model, told before it is loaded: counted, refused, and what is really taken."""

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, MistralConfig

from spring.cli.main import main
from spring.errors import BackboneError
from spring.generation.stacked_rows import StackedRows
from spring.generation.stream import Stream
from spring.generation.types import DecodingOptions
from spring.models import memory
from spring.models.backbone import Backbone
from spring.models.catalog import KNOWN_BACKBONES
from spring.models.loader import load_backbone
from spring.models.memory import free_bytes, model_without_weights, require_memory, size_of
from spring.models.size import GRAPHS, WORKSPACE, Workload
from tests.conftest import asks, new_engine, one_line

MISTRAL = KNOWN_BACKBONES["mistral-7b-instruct"]
SHAPES = {
    "mistral-7b": MistralConfig(intermediate_size=14_336, num_key_value_heads=8),
    "llama-2-7b": LlamaConfig(),
    "llama-2-13b": LlamaConfig(
        hidden_size=5120, intermediate_size=13_824, num_hidden_layers=40, num_attention_heads=40
    ),
}


def quiet(_: str) -> None:
    """Take a line of the report."""


# --- what is counted ---


@pytest.mark.parametrize("name", SHAPES)
def test_the_table_counts_the_numbers_of_each_shape(name: str) -> None:
    assert KNOWN_BACKBONES[name].size == size_of(model_without_weights(SHAPES[name]))


def test_the_table_counts_the_default_backbones_numbers(default_engine) -> None:
    assert KNOWN_BACKBONES["smollm2-135m-instruct"].size == size_of(default_engine.backbone.model)


@pytest.mark.parametrize(
    ("precision", "gigabytes"), [("4bit", 5.75), ("4bit-double", 5.43), ("bf16", 15.8), ("fp32", 31.0)]
)
def test_what_a_precision_needs(precision: str, gigabytes: float) -> None:
    assert MISTRAL.size.bytes_needed(precision) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_4_bit_weights_take_what_is_said(tiny_llama_folder: Path) -> None:
    for precision, scales in (("4bit", 4.0), ("4bit-double", 1.0)):
        loaded = load_backbone(str(tiny_llama_folder), precision, quiet)
        state = loaded.model.state_dict()
        weight = "model.layers.0.mlp.up_proj.weight"
        packed = 64 * 96
        assert state[weight].nbytes == packed / 2
        assert state[f"{weight}.absmax"].nbytes == packed / 64 * scales


# --- the command ---


def test_the_command_tells_the_memory_of_the_answers_that_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--virtual-tokens", "0", "10", "60", "--passage-tokens", "600", "--max-new-tokens", "32")
    assert main(["backbones", "--json", *asked]) == 0
    row = json.loads(capsys.readouterr().out)[1]
    positions = 600 + 60 + 3 * (600 + 60 + 100 + 32)
    assert row["cache_bytes"] == MISTRAL.size.cached * 2 * positions
    weights = MISTRAL.size.weight_bytes("4bit")
    assert row["memory_bytes_4bit"] == weights + row["cache_bytes"] + row["graph_bytes"] + WORKSPACE
    assert main(["backbones", *asked]) == 0
    assert "of 32 tokens at once (k = 0, 10, 60) to 600 tokens of passages" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("--virtual-tokens", "-1"), "k must be 0 to 50, not -1."),
        (("--virtual-tokens", "2000"), "k must be 0 to 1024, not 2000."),
        (("--virtual-tokens", *"0" * 129), "There can be 1 to 128 answers at once, not 129."),
        (("--passage-tokens", "0"), "The length of the passages must be 1 to 1,000,000 tokens, not 0."),
        (("--max-new-tokens", "1" * 40), "The length of the answer must be 1 to 1,000,000 tokens"),
    ],
)
def test_the_command_refuses_what_cannot_be(
    capsys: pytest.CaptureFixture[str], given: tuple[str, ...], reason: str
) -> None:
    assert main(["backbones", *given]) == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


# --- what is told is what is taken ---


@pytest.mark.parametrize("ks", [(0,), (0, 50), (1, 10, 50, 50)])
def test_the_keys_and_values_take_what_is_told(tiny: Backbone, ks: tuple[int, ...]) -> None:
    """Exactly where each answer copies the passages, as on a GPU; what shares them, as on a CPU, takes less."""
    engine = new_engine(tiny)
    stream = Stream(engine, asks(ks=ks), DecodingOptions(6, ignore_eos=True))
    for _ in stream.run():
        pass
    taken = engine.prefixes.nbytes + sum(layer.nbytes for layer in stream.batch.cache.layers)
    work = Workload(ks, len(stream.before[0]), len(stream.after[0]), new_tokens=6, number=50)
    told = size_of(tiny.model).cache_bytes("fp32", gpu=False, work=work)
    if isinstance(stream.batch, StackedRows):  # each of its answers copies the passages
        assert told == taken
    else:
        assert taken < told


@pytest.mark.parametrize("ks", [(0,), (1, 10, 50)])
def test_so_do_those_of_recorded_steps(tiny: Backbone, ks: tuple[int, ...]) -> None:
    engine = new_engine(tiny, step="static")  # in the buffers that are recorded on a card
    stream = Stream(engine, asks(ks=ks), DecodingOptions(6, ignore_eos=True))
    for _ in stream.run():
        pass
    taken = engine.prefixes.nbytes + sum(layer.nbytes for layer in stream.batch.cache.layers)
    work = Workload(ks, len(stream.before[0]), len(stream.after[0]), new_tokens=6, number=50)
    size = size_of(tiny.model)
    told = size.cache_bytes("fp32", gpu=False, work=work) + size.graph_bytes("fp32", gpu=False, work=work) - GRAPHS
    assert told == taken


# --- what does not fit ---


def free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda gpu: int(gigabytes * 1e9))


@pytest.mark.parametrize(
    ("name", "precision", "gigabytes", "instead"),
    [
        ("mistral-7b", "bf16", 8, "choose the precision 4bit"),
        ("llama-2-13b", "4bit", 8, "choose the backbone mistral-7b-instruct in 4bit"),
        ("llama-2-13b", "4bit", 5, "choose the backbone smollm2-135m-instruct in 4bit"),
        ("mistral-7b", "4bit", 0.3, "choose a machine with more memory"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_what_does(
    monkeypatch: pytest.MonkeyPatch, name: str, precision: str, gigabytes: float, instead: str
) -> None:
    free(monkeypatch, gigabytes)
    with pytest.raises(BackboneError, match=instead) as error:
        require_memory(name, KNOWN_BACKBONES[name].size, precision, gpu=True)
    assert f"{gigabytes:.1f} GB free" in one_line(error)


def test_memory_is_looked_at_before_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    MistralConfig(intermediate_size=14_336, num_key_value_heads=8).save_pretrained(tmp_path / "mistral-7b")
    free(monkeypatch, 4)
    with pytest.raises(
        BackboneError, match=r"needs about 31\.0 GB of memory in fp32, but this machine has 4\.0 GB free"
    ):
        load_backbone(str(tmp_path / "mistral-7b"), "fp32", quiet)


def test_what_fits_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 6)
    require_memory("mistral-7b", MISTRAL.size, "4bit", gpu=True)


@pytest.mark.parametrize(("rank", "expected"), [(None, 30), ("1", 20)])
def test_one_model_may_spread_over_all_gpus(monkeypatch: pytest.MonkeyPatch, rank: str | None, expected: int) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: ((device + 1) * 10, 100))
    assert free_bytes(gpu=True) == expected


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    unlimited = free_bytes(gpu=False)
    assert unlimited > 10_000_000
    (tmp_path / "memory.max").write_text("10000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1000000\n")
    assert free_bytes(gpu=False) == 7_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(gpu=False) > 10_000_000
