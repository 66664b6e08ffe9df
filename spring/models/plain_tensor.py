"""The tensor in a file of `torch.save`, as safetensors, without torch: no name in its pickle is ever imported.

What torch writes (https://docs.pytorch.org/docs/stable/notes/serialization.html) is a zip with a pickle, which rebuilds
the tensor from a storage, and with the storage's bytes. Only the calls of a plain tensor are known here, and they
merely note what they were told. `torch.load(weights_only=True)` knows more, among it what ends the process.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spring.errors import TokenFileError
from spring.settings import ReadingLimits

NAME = "tensor"
NOT_PLAIN = "it is not a plain float tensor as torch.save writes it; use .safetensors"
MOST_PICKLE = 100_000  # bytes; a plain tensor's has some 500
# safetensors' name of each type, and the integer of the same width.
_TYPES: Mapping[str, tuple[str, Literal["H", "I", "Q"]]] = {
    "HalfStorage": ("F16", "H"),
    "BFloat16Storage": ("BF16", "H"),
    "FloatStorage": ("F32", "I"),
    "DoubleStorage": ("F64", "Q"),
}
_FORMAT_ERRORS = (zipfile.BadZipFile, pickle.UnpicklingError, OSError, EOFError, RuntimeError)
_PYTHON_ERRORS = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class _Storage:
    type: str
    key: str


@dataclass(frozen=True, slots=True)
class _View:
    """What a tensor is to torch: a part of a storage. offset, strides: in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, offset, shape, strides)


def _parameter(data: Any, *_: Any) -> Any:
    return data


class _Unpickler(pickle.Unpickler):
    _calls: Mapping[tuple[str, str], Callable[..., Any]] = {
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("collections", "OrderedDict"): dict,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _TYPES:
            return name
        if (module, name) not in self._calls:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of a plain tensor")
        return self._calls[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, _, _ = pid
        return _Storage(kind, key)


def pt_job(request: Mapping[str, Any], limits: ReadingLimits) -> bytes:
    """The tensor of the file `path`, as a safetensors file.

    Raises:
        TokenFileError: it holds no plain 2-D float tensor.

    """
    try:
        return _as_safetensors(Path(request["path"]))
    except (*_FORMAT_ERRORS, *_PYTHON_ERRORS) as error:
        raise TokenFileError(NOT_PLAIN) from error


def _as_safetensors(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        (described,) = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
        if not stored or described.file_size > MOST_PICKLE:
            raise TokenFileError(NOT_PLAIN)
        folder = described.filename.removesuffix("data.pkl")
        names = {entry.filename for entry in entries}
        if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
            raise TokenFileError(NOT_PLAIN)
        view = _Unpickler(io.BytesIO(archive.read(described))).load()
        if not isinstance(view, _View):
            raise TokenFileError(NOT_PLAIN)
        kind, number = _TYPES[view.storage.type]
        numbers = memoryview(archive.read(f"{folder}data/{view.storage.key}")).cast(number)
    if len(view.shape) != 2:
        raise TokenFileError(f"it is no dense 2-D float matrix, but one of shape {view.shape}")
    data = _rows(view, numbers)
    header = json.dumps({NAME: {"dtype": kind, "shape": view.shape, "data_offsets": [0, len(data)]}}).encode()
    return len(header).to_bytes(8, "little") + header + data  # https://huggingface.co/docs/safetensors


def _rows(view: _View, numbers: memoryview) -> bytes:
    """The bytes of a matrix, row by row, once all of it is known to be in its storage."""
    (n, hidden), (down, right) = view.shape, view.strides
    if min(n, hidden, view.offset) < 0 or min(down, right) < 1 or n * hidden > len(numbers):
        raise TokenFileError(NOT_PLAIN)
    if n and hidden and view.offset + (n - 1) * down + (hidden - 1) * right >= len(numbers):
        raise TokenFileError(NOT_PLAIN)
    starts = range(view.offset, view.offset + n * down, down)
    return b"".join(numbers[start : start + (hidden - 1) * right + 1 : right].tobytes() for start in starts)
