"""Token files that are read as they were written, and token files that are refused in one sentence."""

import os
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from spring.errors import TokenFileError
from spring.models.catalog import PUBLISHED_FILES
from spring.models.virtual_tokens import VirtualTokens, describe
from tests.conftest import one_line

pytestmark = pytest.mark.usefixtures("pt_child")


def matrix(n: int = 50, hidden: int = 16) -> Tensor:
    return torch.randn(n, hidden, generator=torch.Generator().manual_seed(0))


def saved(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


def refusal(path: Path) -> str:
    """The sentence with which a file for the backbone "tiny" is refused."""
    with pytest.raises(TokenFileError) as error:
        VirtualTokens.load(path, "tiny")
    return one_line(error)


# --- the matrix ---


def test_the_first_k_tokens_are_the_first_k_rows() -> None:
    assert torch.equal(VirtualTokens(matrix(), "tiny").first(7), matrix()[:7])


@pytest.mark.parametrize("k", [1, 50])
def test_first_takes_one_to_n(k: int) -> None:
    assert VirtualTokens(matrix(), "tiny").first(k).shape == (k, 16)


@pytest.mark.parametrize("k", [-1, 0, 51])
def test_first_refuses_what_is_out_of_range(k: int) -> None:
    with pytest.raises(TokenFileError, match=rf"k = {k} is out of range: there are 50") as error:
        VirtualTokens(matrix(), "tiny").first(k)
    one_line(error)


def test_its_length_and_width_are_those_of_the_matrix() -> None:
    tokens = VirtualTokens(matrix(3, 8), "tiny")
    assert (len(tokens), tokens.hidden) == (3, 8)


def test_the_tokens_cannot_be_changed_through_the_tensor_that_they_were_made_from() -> None:
    made_from = matrix()
    tokens = VirtualTokens(made_from, "tiny")
    made_from.zero_()
    assert torch.equal(tokens.embeddings, matrix())


def test_the_matrix_is_float32_and_needs_no_gradient() -> None:
    tokens = VirtualTokens(nn.Parameter(matrix().half()), "tiny")
    assert tokens.embeddings.dtype == torch.float32
    assert not tokens.embeddings.requires_grad


@pytest.mark.parametrize(
    "tensor",
    [
        matrix().to_sparse(),
        matrix()[0],
        matrix()[None],
        torch.ones(50, 16, dtype=torch.int64),
        torch.ones(50, 16, dtype=torch.bool),
        torch.ones(50, 16, dtype=torch.complex64),
    ],
    ids=["sparse", "1-D", "3-D", "int", "bool", "complex"],
)
def test_only_a_dense_2_d_float_matrix_is_taken(tensor: Tensor) -> None:
    with pytest.raises(TokenFileError, match="dense 2-D float matrix") as error:
        VirtualTokens(tensor, "tiny")
    one_line(error)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    tensor = matrix()
    tensor[49, 15] = value
    with pytest.raises(TokenFileError, match="not finite") as error:
        VirtualTokens(tensor, "tiny")
    one_line(error)


def test_a_double_that_is_infinite_as_a_float_is_refused() -> None:
    with pytest.raises(TokenFileError, match="not finite"):
        VirtualTokens(torch.full((2, 2), 1e300, dtype=torch.float64), "tiny")


@pytest.mark.parametrize("shape", [(0, 16), (50, 0), (1025, 16), (2, 65_537)])
def test_a_matrix_without_measure_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(TokenFileError, match="out of bounds") as error:
        VirtualTokens(torch.zeros(shape), "tiny")
    one_line(error)


def test_tokens_without_a_backbone_are_refused() -> None:
    with pytest.raises(TokenFileError, match="belong to one backbone"):
        VirtualTokens(matrix(), "")


# --- whose tokens they are ---


def test_its_own_backbone_is_accepted() -> None:
    assert VirtualTokens(matrix(), "tiny").require("tiny", 16) is None


def test_another_backbone_of_the_same_width_is_refused_by_name() -> None:
    with pytest.raises(TokenFileError, match="made for the backbone mistral-7b, not for llama-2-7b") as error:
        VirtualTokens(matrix(), "mistral-7b").require("llama-2-7b", 16)
    one_line(error)


def test_another_width_is_refused_by_number() -> None:
    with pytest.raises(
        TokenFileError, match="16 wide, but tiny has a hidden size of 4096: choose another token file"
    ) as error:
        VirtualTokens(matrix(), "tiny").require("tiny", 4096)
    one_line(error)


def test_initial_values_are_described_as_not_learned() -> None:
    assert "not learned yet" in describe(VirtualTokens(matrix(), "tiny"))


def test_learned_tokens_are_described_by_how() -> None:
    assert describe(VirtualTokens(matrix(), "tiny", "3 epochs of SQuAD")).endswith("tiny, 3 epochs of SQuAD")


# --- our own files ---


def test_a_safetensors_file_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    tokens = VirtualTokens(matrix(), "tiny", "learned on squad", {"epochs": "3", "seed": "7"})
    tokens.save(tmp_path / "tokens.safetensors")
    loaded = VirtualTokens.load(tmp_path / "tokens.safetensors")
    assert torch.equal(loaded.embeddings, tokens.embeddings)
    assert (loaded.backbone, loaded.learned, loaded.details) == ("tiny", "learned on squad", tokens.details)


def test_the_files_own_backbone_is_not_overruled(tmp_path: Path) -> None:
    VirtualTokens(matrix(), "mistral-7b").save(tmp_path / "tokens.safetensors")
    assert VirtualTokens.load(tmp_path / "tokens.safetensors", "llama-2-7b").backbone == "mistral-7b"


METADATA = {"backbone": "tiny", "n": "50", "hidden": "16"}


def test_half_precision_safetensors_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_file({"any name": matrix().half()}, path, metadata=METADATA)
    assert torch.equal(VirtualTokens.load(path).embeddings, matrix().half().float())


@pytest.mark.parametrize(
    ("tensors", "metadata", "reason"),
    [
        ({"a": matrix(), "b": matrix()}, METADATA, "it holds 2 and a name"),
        ({}, METADATA, "it holds 0 and a name"),
        ({"a": matrix()}, {"n": "50"}, "it holds 1 and no name"),
        ({"a": matrix()}, None, "it holds 1 and no name"),
        ({"a": matrix()}, METADATA | {"backbone": ""}, "belong to one backbone"),
        ({"a": matrix()}, METADATA | {"n": "49"}, "says it holds"),
        ({"a": matrix()}, METADATA | {"hidden": "4096"}, "says it holds"),
        ({"a": matrix()[0]}, {"backbone": "tiny"}, "dense 2-D"),
        ({"a": matrix().long()}, METADATA, "dense 2-D"),
        ({"a": matrix() / 0}, METADATA, "not finite"),
        ({"a": (matrix() * torch.nan).to(torch.float8_e4m3fn)}, METADATA, "not finite"),
    ],
)
def test_safetensors_that_are_no_virtual_tokens_are_refused(
    tmp_path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None, reason: str
) -> None:
    save_file(tensors, tmp_path / "t.safetensors", metadata=metadata)
    assert reason in refusal(tmp_path / "t.safetensors")


# --- published files ---


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("wrap", [Tensor, nn.Parameter], ids=["tensor", "parameter"])
def test_a_saved_tensor_of_any_float_type_is_read(
    tmp_path: Path, dtype: torch.dtype, wrap: Callable[[Tensor], Tensor]
) -> None:
    values = matrix().to(dtype)
    path = saved(tmp_path / "tokens.pt", nn.Parameter(values) if wrap is nn.Parameter else values)
    assert torch.equal(VirtualTokens.load(path, "tiny").embeddings, values.float())


@pytest.mark.parametrize(
    ("name", "backbone", "hidden"),
    [
        ("mistral.7b.instruct.added_token_embeddings.pt", "mistral-7b-instruct", 4096),
        ("mistral.7b.base.added_token_embeddings.pt", "mistral-7b", 4096),
        ("llama2.7b.chat.added_token_embeddings.pt", "llama-2-7b-chat", 4096),
        ("llama2.7b.base.added_token_embeddings.pt", "llama-2-7b", 4096),
        ("llama2.13b.chat.added_token_embeddings.pt", "llama-2-13b-chat", 5120),
        ("llama2.13b.base.added_token_embeddings.pt", "llama-2-13b", 5120),
    ],
)
def test_a_published_file_belongs_to_its_backbone(tmp_path: Path, name: str, backbone: str, hidden: int) -> None:
    tokens = VirtualTokens.load(saved(tmp_path / name, matrix(50, hidden).bfloat16()), "some other")
    assert (tokens.backbone, len(tokens), tokens.hidden) == (backbone, 50, hidden)
    assert tokens.learned == f"published file {name}"


def test_there_are_six_published_files() -> None:
    assert len(PUBLISHED_FILES) == 6


def test_a_pt_file_of_another_name_needs_a_backbone(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match=r"mine\.pt does not say which backbone") as error:
        VirtualTokens.load(saved(tmp_path / "mine.pt", matrix()))
    one_line(error)


# --- files that are refused ---

NOT_PLAIN = "is not a plain float tensor as torch.save writes it"


class RunsCode:
    """Pickled as a call of `os.system`."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.marker}",)


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.pt", RunsCode(tmp_path / "ran"))
    assert NOT_PLAIN in refusal(path)
    assert not (tmp_path / "ran").exists()
    torch.load(path, weights_only=False)  # the file does run code where it is let
    assert (tmp_path / "ran").exists()


def test_code_beside_the_tensor_does_not_run(tmp_path: Path) -> None:
    assert NOT_PLAIN in refusal(saved(tmp_path / "t.pt", [matrix(), RunsCode(tmp_path / "ran")]))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [matrix().to_sparse(), {"embeddings": matrix()}, [matrix()], "text", 7, nn.Embedding(50, 16)],
    ids=["sparse", "dict", "list", "text", "number", "module"],
)
def test_what_is_no_plain_tensor_is_refused(tmp_path: Path, content: object) -> None:
    assert NOT_PLAIN in refusal(saved(tmp_path / "t.pt", content))


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (matrix()[0], "dense 2-D"),
        (matrix()[None], "dense 2-D"),
        (matrix() / 0, "not finite"),
        (torch.full((50, 16), float("nan")), "not finite"),
        (torch.zeros(1025, 4), "out of bounds"),
    ],
    ids=["1-D", "3-D", "inf", "nan", "1025 tokens"],
)
def test_a_tensor_that_is_no_token_matrix_is_refused(tmp_path: Path, tensor: Tensor, reason: str) -> None:
    assert reason in refusal(saved(tmp_path / "t.pt", tensor))


def test_a_matrix_of_integers_is_refused(tmp_path: Path) -> None:
    assert NOT_PLAIN in refusal(saved(tmp_path / "t.pt", matrix().long()))


@pytest.mark.parametrize("shape", [(40_000, 40_000), (1024, 65_536)], ids=["6.4 GB", "within bounds"])
def test_a_small_file_that_claims_a_large_matrix_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = saved(tmp_path / "t.pt", torch.ones(1).expand(shape))
    assert path.stat().st_size < 4096
    assert NOT_PLAIN in refusal(path)


def repacked(path: Path, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with the bytes of its entries changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))
    return path


def test_a_repacked_file_is_still_read(tmp_path: Path) -> None:  # so that the following two show something
    path = repacked(saved(tmp_path / "t.pt", matrix()), lambda _, data: data)
    assert torch.equal(VirtualTokens.load(path, "tiny").embeddings, matrix())


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "t.pt", torch.zeros(100, 10_000))
    repacked(path, lambda _, data: data, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 8192
    assert NOT_PLAIN in refusal(path)


def test_a_pickle_that_claims_a_longer_storage_than_the_file_has_is_refused(tmp_path: Path) -> None:
    def claim(name: str, data: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return data
        longer = data.replace(b"M\x20\x03t", b"J" + struct.pack("<i", 50 * 60_000) + b"t")  # 800 numbers
        longer = longer.replace(b"K\x10\x86", b"M\x60\xea\x86")  # (50, 16) -> (50, 60000)
        return longer.replace(b"K\x10K\x01\x86", b"M\x60\xeaK\x01\x86")  # strides

    path = repacked(saved(tmp_path / "t.pt", matrix()), claim)
    assert NOT_PLAIN in refusal(path)


def test_the_old_format_of_torch_save_is_refused(tmp_path: Path) -> None:
    assert NOT_PLAIN in refusal(saved(tmp_path / "t.pt", matrix(), _use_new_zipfile_serialization=False))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("size", [0, 7, 400, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, size: int) -> None:
    path = tmp_path / f"t{suffix}"
    if suffix == ".pt":
        saved(path, matrix())
    else:
        VirtualTokens(matrix(), "tiny").save(path)
    path.write_bytes(path.read_bytes()[:size])
    assert re.search("not a plain float tensor|not a readable safetensors file", refusal(path))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_random_bytes_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(matrix().numpy().tobytes())
    assert re.search("not a plain float tensor|not a readable safetensors file", refusal(path))


@pytest.mark.parametrize("name", ["tokens.bin", "tokens", "tokens.pt.zip"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    assert f"{name} is not a token file" in refusal(saved(tmp_path / name, matrix()))


@pytest.mark.parametrize("name", ["missing.pt", "missing.safetensors", ""])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    assert f"There is no token file {tmp_path / name}: choose a" in refusal(tmp_path / name)
