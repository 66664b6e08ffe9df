"""Read the tensor in a file of `torch.save`, as safetensors; for a child process with limits only.

`torch.load(weights_only=True)` runs no code of the file. But a crafted file may still end the process (invalid sparse
tensors) or request gigabytes with 400 bytes, which the child's limits turn into a refusal. Format:
https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from spring.errors import TokenFileError
from spring.settings import ReadingLimits

NAME = "tensor"
NOT_PLAIN = "it is not a plain float tensor as torch.save writes it; use .safetensors"
_FORMAT_ERRORS = (zipfile.BadZipFile, pickle.UnpicklingError, OSError, EOFError, RuntimeError, AssertionError)
_PYTHON_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def pt_job(request: Mapping[str, Any], limits: ReadingLimits) -> bytes:
    """The tensor of the file `path`, as the bytes of a safetensors file.

    Raises:
        TokenFileError: the file holds no plain 2-D float tensor.

    """
    try:
        return save({NAME: _load(Path(request["path"]))})
    except (*_FORMAT_ERRORS, *_PYTHON_ERRORS) as error:
        raise TokenFileError(NOT_PLAIN) from error


def _load(path: Path) -> Tensor:
    """A contiguous matrix (n, hidden); its size is checked before it is copied."""
    with zipfile.ZipFile(path) as archive:  # what torch has written since 1.6; it compresses nothing
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise TokenFileError(NOT_PLAIN)
    tensor: Tensor = torch.load(path, map_location="cpu", weights_only=True)
    plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or not tensor.is_floating_point():
        raise TokenFileError(NOT_PLAIN)
    if tensor.dim() != 2:
        raise TokenFileError(f"it is no dense 2-D float matrix, but one of shape {tuple(tensor.shape)}")
    # A view may repeat one number to any size; a matrix of tokens has a number of its own for each place.
    if tensor.numel() > tensor.untyped_storage().nbytes() // tensor.itemsize:
        raise TokenFileError(NOT_PLAIN)
    return tensor.detach().contiguous()
