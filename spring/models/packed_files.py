"""Packed weights on disk, beside the model that they were made from, so that only the first start packs them."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from spring.models.packed_linear import pack
from spring.models.rounding import PackedWeights

VERSION = 1  # of the rounding; another one makes new files


def packed_file(folder: Path) -> Path:
    """Where the packed weights of the model in a folder are: named by what their values and order depend on."""
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("model*"))
    made_from = (VERSION, torch.__version__, torch.backends.cpu.get_cpu_capability(), files)
    return folder / f"int4-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}.safetensors"


def read_packed(file: Path) -> dict[str, PackedWeights]:
    """The packed weights in a file by the layer's name; none if there is no such file, or it is broken."""
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError):
        return {}
    names = sorted({name.rpartition(".")[0] for name in tensors})
    return {name: PackedWeights(tensors[f"{name}.levels"], tensors[f"{name}.scales"]) for name in names}


def pack_and_keep(model: PreTrainedModel, file: Path, report: Callable[[str], None]) -> dict[str, PackedWeights]:
    """Pack a model's weights and write them into a file, which appears complete or not at all.

    Args:
        model: its weights as they were stored, not yet in bf16.
        file: others in its folder that are named like it are of other versions, and are deleted.
        report: is called with a line if the file cannot be written; the next start packs again.

    """
    packed = pack(model)
    try:
        with tempfile.TemporaryDirectory(prefix=".packing-", dir=file.parent) as work:
            written = Path(work) / file.name
            save_file(
                {
                    f"{name}.{part}": tensor
                    for name, weights in packed.items()
                    for part, tensor in (("levels", weights.levels), ("scales", weights.scales))
                },
                written,
            )
            written.rename(file)
        for other in file.parent.glob("int4-*.safetensors"):
            if other != file:
                other.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        report(f"The packed weights could not be kept in {file.parent} ({error}): each start packs them again.")
    return packed
