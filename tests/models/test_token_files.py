"""Token files: bounded before they are read, and a `.pt` only in a child."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spring.data.sandbox import parent as sandbox
from spring.errors import TokenFileError
from spring.models import token_files
from spring.models.token_files import read_pt
from spring.models.virtual_tokens import MAX_NORM, VirtualTokens
from tests.conftest import one_line
from tests.support.fuzz import Fuzzer

NOT_PLAIN = "it is not a plain float tensor as torch.save writes it; use .safetensors"


pytestmark = pytest.mark.usefixtures("pt_child")


def matrix(n: int = 5, hidden: int = 8) -> Tensor:
    return torch.randn(n, hidden, generator=torch.Generator().manual_seed(0))


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(TokenFileError) as error:
        VirtualTokens.load(path, "tiny")
    return one_line(error)


def repacked(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The archive with the bytes of its entries changed."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, change(name, data))
    return path


# --- .pt ---


@pytest.mark.parametrize(
    "view",
    [
        matrix(20, 8)[3:8],
        matrix(5, 20)[:, 2:10],
        matrix(8, 5).T,
        matrix(5, 16)[:, ::2],
        matrix(10, 8)[::2],
        matrix(1, 1),
        torch.zeros(0, 8),
    ],
    ids=["rows", "columns", "transposed", "every other column", "every other row", "one number", "nothing"],
)
def test_a_view_is_read_as_torch_reads_it(tmp_path: Path, view: Tensor) -> None:
    path = saved(tmp_path / "t.pt", view)
    assert torch.equal(read_pt(path), torch.load(path, weights_only=True))


def test_what_was_saved_on_a_gpu_is_read(tmp_path: Path) -> None:
    path = repacked(
        saved(tmp_path / "t.pt", matrix()),
        lambda name, data: data.replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0") if name.endswith("data.pkl") else data,
    )
    assert torch.equal(read_pt(path), matrix())


def sparse(indices: list[list[int]], shape: tuple[int, int]) -> Tensor:
    return torch.sparse_coo_tensor(torch.tensor(indices), torch.ones(1), shape, check_invariants=False)


@pytest.mark.parametrize(
    "content",
    [
        matrix().to_sparse(),
        sparse([[-(10**9)], [10**9]], (5, 5)),
        sparse([[2**30], [2**30]], (2**31, 2**31)),
        torch.empty(40_000, 40_000, device="meta"),
        torch.ones(1).expand(40_000, 40_000),
        torch.ones(1, 8).expand(1024, 8),
        torch.ones(5, 8, dtype=torch.complex64),
        matrix().numpy(),
        None,
    ],
    ids=["sparse", "invalid", "gigabytes", "meta", "6.4 GB", "a row", "complex", "numpy", "none"],
)
def test_what_is_no_plain_matrix_is_refused_and_the_next_file_is_read(tmp_path: Path, content: object) -> None:
    path = saved(tmp_path / "t.pt", content)
    assert refusal(path) == f"t.pt: {NOT_PLAIN}."
    assert torch.equal(read_pt(saved(path, matrix())), matrix())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\0K\5K\x08\x86", b"K\1K\5K\x08\x86"),  # an offset that leads beyond the end
        (b"K\5K\x08\x86", b"K\6K\x08\x86"),  # one row more
        (b"K\x08K\1\x86", b"K\0K\0\x86"),  # all numbers the same
        (b"K\x08K\1\x86", b"K\x09K\1\x86"),  # rows farther apart
        (b"K\x08K\1\x86", b"J\xff\xff\xff\xffK\1\x86"),  # backwards
        (b"FloatStorage", b"LongxStorage"),
        (b"_rebuild_tensor_v2", b"_rebuild_wrapper_x"),
        (b"X\1\0\0\0000", b"X\1\0\0\0009"),  # a storage that is not there
        (b"Q", b"0"),  # no storage at all
        (b".", b""),
        (b"K\5K\x08\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"),  # 2**62 numbers
        (b"\x80\x02", b"\x80\x02Nr\xf0\xff\xff\x7f"),  # "remember this as number 2,147,483,632"
    ],
)
def test_a_crafted_pickle_reads_nothing_beyond_its_storage(tmp_path: Path, old: bytes, new: bytes) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return data
        assert old in data
        return data.replace(old, new, 1)

    path = repacked(saved(tmp_path / "t.pt", matrix()), change)
    try:
        values = read_pt(path)
    except TokenFileError as error:
        assert "t.pt: " in str(error)  # noqa: PT017  # some are read as a plain matrix
    else:
        assert torch.isin(values, matrix()).all()


def test_400_bytes_that_ask_for_3_gigabytes_end_their_child_alone(tmp_path: Path) -> None:
    three = b"\x80\x02cbuiltins\nbytearray\n\x8a\x05" + (3 * 10**9).to_bytes(5, "little") + b"\x85R."
    path = repacked(saved(tmp_path / "t.pt", matrix()), lambda name, data: three if name.endswith("data.pkl") else data)
    assert refusal(path) == "t.pt: reading it takes too much memory; save it again, or give a smaller part of it."
    assert torch.equal(read_pt(saved(path, matrix())), matrix())


def test_a_child_that_dies_of_a_file_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_files, "Sandbox", sandbox.Sandbox)  # one of its own
    monkeypatch.setattr(sandbox, "CHILD", "tests.support.naughty_child")  # it has no job of that name
    assert "t.pt: the process that reads files does not start" in refusal(saved(tmp_path / "t.pt", matrix()))


# --- what both kinds may have ---


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)  # a hole, which takes no disk
    assert refusal(path) == f"t{suffix} has 300 MB; 257 are the most for tokens."


@pytest.mark.parametrize("length", [100_001, 2**40, 2**64 - 1])
def test_a_header_that_is_too_long_is_not_read(tmp_path: Path, length: int) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + bytes(200_000))
    assert f"its header has {length:,} bytes; 100,000 are the most" in refusal(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2**40, 8], "data_offsets": [0, 64]},
        {"dtype": "F32", "shape": [2, 8], "data_offsets": [0, 2**40]},
        {"dtype": "F32", "shape": [2, 8], "data_offsets": [-1, 63]},
        {"dtype": "F32", "shape": [2, 8], "data_offsets": [8, 72]},
        {"dtype": "X1", "shape": [2, 8], "data_offsets": [0, 64]},
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, entry: dict[str, object]) -> None:
    header = json.dumps({"__metadata__": {"backbone": "tiny"}, "a": entry}).encode()
    path = tmp_path / "t.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    assert "t.safetensors is not a readable safetensors file" in refusal(path)


def test_a_norm_beyond_all_measure_is_refused(tmp_path: Path) -> None:
    values = matrix()
    values[2] *= MAX_NORM / values[2].norm() * 1.01
    path = saved(tmp_path / "t.pt", values)
    assert refusal(path) == "Token 3 has a norm of 10,100; 10,000 is the most that is taken for learned values."
    values[2] *= 0.98
    assert len(VirtualTokens.load(saved(path, values), "tiny")) == 5


@pytest.mark.parametrize("name", ["two\nlines", "x" * 1_001, "\x1b[31m"])
def test_a_backbones_name_is_one_line(name: str) -> None:
    with pytest.raises(TokenFileError, match="name is one line") as error:
        VirtualTokens(matrix(), name)
    one_line(error)


def test_sizes_that_are_stated_wrongly_are_shown_shortly(tmp_path: Path) -> None:
    VirtualTokens(matrix(), "tiny").save(tmp_path / "t.safetensors")
    data = (tmp_path / "t.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["n"] = "\n" + "9" * 50_000
    text = json.dumps(header).encode()
    (tmp_path / "t.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    assert len(refusal(tmp_path / "t.safetensors")) < 200


def test_the_limits_of_tokens_hold_the_largest_matrix() -> None:
    assert 1024 * 65_536 * 4 + token_files.MOST_HEADER < token_files.MOST_BYTES


def test_broken_files_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    fuzzer = Fuzzer(20_261_124, tmp_path / "kept")
    fuzzer.token_files(3)
    print(fuzzer.counts)
    assert fuzzer.counts["tokens"]["refused"] > 0
    assert not (tmp_path / "kept").exists()
