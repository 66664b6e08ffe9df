"""A model's packed weights on disk, in a folder of the model that they were made from: only the first start packs.

Bf16 weights stand beside them, as transformers stores a model; those in fp32 are the model's own. All are mapped into
memory.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from spring.models.packed_linear import pack, use_packed
from spring.models.rounding import PackedWeights

VERSION = 1  # of the rounding; another one makes new files
PACKED = "packed.safetensors"
HEX = 16  # digits of the hash in a folder's name


def packed_folder(folder: Path, compute: torch.dtype) -> Path:
    """Where the packed form of the model in a folder is: named by what its values and their order depend on."""
    kind = "int4" if compute == torch.bfloat16 else "int4-fp32"
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("model*"))
    made_from = (VERSION, torch.__version__, torch.backends.cpu.get_cpu_capability(), files)
    return folder / f"{kind}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:HEX]}"


def read_packed_model(folder: Path, compute: torch.dtype) -> PreTrainedModel | None:
    """The model in a folder that `pack_model` made, in its type; None if there is none, or it is broken."""
    if not folder.is_dir():
        return None
    try:
        tensors = load_file(folder / PACKED)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            _folder_of_weights(folder, compute), dtype=compute, attn_implementation="sdpa", local_files_only=True
        )
    except (OSError, ValueError, SafetensorError):
        return None
    names = {name.rpartition(".")[0] for name in tensors}
    use_packed(model, {name: PackedWeights(tensors[f"{name}.levels"], tensors[f"{name}.scales"]) for name in names})
    return model


def pack_model(
    model: PreTrainedModel, compute: torch.dtype, folder: Path | None, report: Callable[[str], None]
) -> None:
    """Give a model packed weights for few rows, and bring the others into the type in which it computes.

    Args:
        model: its weights as they were stored: rounded to bf16 before, they would be rounded twice.
        compute: bf16 or fp32.
        folder: is made to hold the result, complete or not at all; others beside it that are named like it, of other
            versions, are deleted. None: nothing is kept.
        report: is called with a line if it cannot be written; the next start packs again.

    """
    packed = pack(model)
    for parameter in model.parameters():  # not buffers: the rotary frequencies stay in fp32
        parameter.data = parameter.data.to(compute)
    if folder is not None:
        try:
            _keep(model if _folder_of_weights(folder, compute) == folder else None, packed, folder)
        except (OSError, SafetensorError) as error:
            report(f"The packed weights could not be kept in {folder} ({error}): each start packs them again.")
    use_packed(model, packed)


def _folder_of_weights(folder: Path, compute: torch.dtype) -> Path:
    """Where the weights beside the packed ones are: of fp32 the embedded model's own."""
    return folder.parent if compute == torch.float32 else folder


def _keep(model: PreTrainedModel | None, packed: dict[str, PackedWeights], folder: Path) -> None:
    tensors = {f"{name}.levels": weights.levels for name, weights in packed.items()}
    tensors |= {f"{name}.scales": weights.scales for name, weights in packed.items()}
    work = Path(tempfile.mkdtemp(prefix=".packing-", dir=folder.parent))
    try:
        if model is not None:
            model.save_pretrained(work)
        save_file(tensors, work / PACKED)
        work.chmod(0o755)
        for other in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-{'[0-9a-f]' * HEX}"):
            shutil.rmtree(other, ignore_errors=True)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
