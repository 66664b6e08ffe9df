"""Read and write a model's safetensors files tensor by tensor: no tensor but the one at hand is in memory.

The library's `save_file` wants all tensors of a file at once, and their bytes once more. The format is a length of 8
bytes, a JSON header with each tensor's type, shape and range, and the bytes (https://github.com/huggingface/safetensors).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spring.errors import BackboneError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
SHARD_BYTES = 5 * 10**9  # of one written file, as transformers has it
PIECE = 2**24  # bytes that are read at once
MOST_HEADER = 10**8  # bytes of a header, the library's limit


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where the bytes of one tensor are."""

    name: str
    dtype: str  # safetensors' name: "F32", "BF16", ...
    shape: tuple[int, ...]
    file: Path
    start: int  # of its bytes in the file
    size: int  # bytes

    def pieces(self, piece_bytes: int = PIECE) -> Iterator[bytes]:
        """Its bytes, in pieces of that size."""
        with self.file.open("rb") as file:
            file.seek(self.start)
            for start in range(0, self.size, piece_bytes):
                wanted = min(piece_bytes, self.size - start)
                if len(piece := file.read(wanted)) < wanted:
                    raise BackboneError(f"{self.file.name} ends before its tensor {self.name} does: fetch it again.")
                yield piece


@dataclass(frozen=True, slots=True)
class TensorToWrite:
    """One tensor of a file to be written; its bytes are made when they are needed."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int  # bytes
    pieces: Callable[[], Iterator[bytes]]

    @classmethod
    def copy_of(cls, stored: StoredTensor) -> "TensorToWrite":
        """The same tensor again."""
        return cls(stored.name, stored.dtype, stored.shape, stored.size, stored.pieces)


def stored_tensors(files: Sequence[Path]) -> dict[str, StoredTensor]:
    """All tensors of a model's files by name, in the files' order.

    Raises:
        BackboneError: a file is no safetensors file.

    """
    found: dict[str, StoredTensor] = {}
    for path in files:
        try:
            found |= {tensor.name: tensor for tensor in _header(path)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackboneError(f"{path.name} is not a readable safetensors file: fetch the model again.") from error
    return found


def _header(path: Path) -> Iterator[StoredTensor]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(file.read(length))
    begin = 8 + length
    for name, entry in sorted(
        ((name, entry) for name, entry in header.items() if name != "__metadata__"),
        key=lambda item: item[1]["data_offsets"][0],
    ):
        start, end = entry["data_offsets"]
        if not 0 <= start <= end <= path.stat().st_size - begin:
            raise ValueError(f"the range of {name}")
        yield StoredTensor(name, entry["dtype"], tuple(entry["shape"]), path, begin + start, end - start)


def write_model(folder: Path, tensors: Sequence[TensorToWrite], shard_bytes: int = SHARD_BYTES) -> list[Path]:
    """Write tensors into as few files as hold them, with an index if there are several; return the files.

    Args:
        folder: is there.
        tensors: in the order in which they are written.
        shard_bytes: most bytes of a file, unless one tensor has more.

    """
    shards: list[list[TensorToWrite]] = [[]]
    for tensor in tensors:
        if shards[-1] and sum(other.size for other in shards[-1]) + tensor.size > shard_bytes:
            shards.append([])
        shards[-1].append(tensor)
    if len(shards) == 1:
        return [_write(folder / SINGLE, tensors)]
    names = [f"model-{number:05}-of-{len(shards):05}.safetensors" for number in range(1, len(shards) + 1)]
    places = {tensor.name: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
    index = {"metadata": {"total_size": sum(tensor.size for tensor in tensors)}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    return [_write(folder / name, shard) for name, shard in zip(names, shards, strict=True)]


def _write(path: Path, tensors: Sequence[TensorToWrite]) -> Path:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        entries[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [end, end + tensor.size],
        }
        end += tensor.size
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of 8
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for tensor in tensors:
            for piece in tensor.pieces():
                file.write(piece)
    return path
