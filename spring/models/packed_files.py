"""A model in the precision int4 on disk, beside the one that it was made from, so that only the first start packs it.

Its folder holds the bf16 weights as transformers stores a model, and the packed ones. Both are mapped into memory.
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


def packed_folder(folder: Path) -> Path:
    """Where the packed form of the model in a folder is: named by what its values and their order depend on."""
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("model*"))
    made_from = (VERSION, torch.__version__, torch.backends.cpu.get_cpu_capability(), files)
    return folder / f"int4-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:16]}"


def read_packed_model(folder: Path) -> PreTrainedModel | None:
    """The model in a folder that `keep_packed_model` made; None if there is none, or it is broken."""
    if not folder.is_dir():
        return None
    try:
        tensors = load_file(folder / PACKED)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.bfloat16, attn_implementation="sdpa", local_files_only=True
        )
    except (OSError, ValueError, SafetensorError):
        return None
    names = {name.rpartition(".")[0] for name in tensors}
    use_packed(model, {name: PackedWeights(tensors[f"{name}.levels"], tensors[f"{name}.scales"]) for name in names})
    return model


def pack_model(model: PreTrainedModel, folder: Path | None, report: Callable[[str], None]) -> None:
    """Turn a model into the precision int4.

    Args:
        model: its weights as they were stored: rounded to bf16 before, they would be rounded twice.
        folder: is made to hold the result, complete or not at all; others beside it that are named like it, of other
            versions, are deleted. None: nothing is kept.
        report: is called with a line if it cannot be written; the next start packs again.

    """
    packed = pack(model)
    for parameter in model.parameters():  # not buffers: the rotary frequencies stay in fp32
        parameter.data = parameter.data.to(torch.bfloat16)
    if folder is not None:
        try:
            _keep(model, packed, folder)
        except (OSError, SafetensorError) as error:
            report(f"The packed weights could not be kept in {folder} ({error}): each start packs them again.")
    use_packed(model, packed)


def _keep(model: PreTrainedModel, packed: dict[str, PackedWeights], folder: Path) -> None:
    tensors = {f"{name}.levels": weights.levels for name, weights in packed.items()}
    tensors |= {f"{name}.scales": weights.scales for name, weights in packed.items()}
    work = Path(tempfile.mkdtemp(prefix=".packing-", dir=folder.parent))
    try:
        model.save_pretrained(work)
        save_file(tensors, work / PACKED)
        work.chmod(0o755)
        for other in folder.parent.glob("int4-*"):
            shutil.rmtree(other, ignore_errors=True)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
