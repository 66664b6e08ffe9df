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
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from spring.models.compute import compute_type
from spring.models.int8 import Int8Weights
from spring.models.packed_linear import FewRows, Packed, pack, use_packed
from spring.models.rounding import PackedWeights
from spring.models.size import BESIDE

VERSION = 3  # of the rounding; another one makes new files
PACKED = "packed.safetensors"
HEX = 16  # digits of the hash in a folder's name


def packed_folder(folder: Path, precision: str) -> Path:
    """Where the packed form of the model in a folder is: named by what its values and their order depend on."""
    files = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in folder.glob("model*"))
    made_from = (VERSION, torch.__version__, torch.backends.cpu.get_cpu_capability(), files)
    return folder / f"{precision}-{hashlib.sha256(repr(made_from).encode()).hexdigest()[:HEX]}"


def read_packed_model(folder: Path, precision: str) -> PreTrainedModel | None:
    """The model in a folder that `pack_model` made; None if there is none, or it is broken."""
    if not folder.is_dir():
        return None
    try:
        tensors = load_file(folder / PACKED)
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            _folder_of_weights(folder, precision),
            dtype=compute_type(precision, gpu=False),
            attn_implementation="sdpa",
            local_files_only=True,
        )
    except (OSError, ValueError, SafetensorError):
        return None
    few, many = (
        {name.removesuffix(f".{kind}.levels") for name in tensors if name.endswith(f".{kind}.levels")}
        for kind in ("few", "many")
    )
    use_packed(
        model,
        Packed(
            {name: _for_few_rows(tensors[f"{name}.few.levels"], tensors[f"{name}.few.scales"]) for name in few},
            {name: Int8Weights(tensors[f"{name}.many.levels"], tensors[f"{name}.many.scales"]) for name in many},
        ),
    )
    return model


def _for_few_rows(levels: Tensor, scales: Tensor) -> FewRows:
    return Int8Weights(levels, scales) if scales.ndim == 1 else PackedWeights(levels, scales)


def pack_model(model: PreTrainedModel, precision: str, folder: Path | None, report: Callable[[str], None]) -> None:
    """Give a model packed weights, and bring the others into the type in which it computes.

    Args:
        model: its weights as they were stored: rounded to bf16 before, they would be rounded twice.
        precision: one of `spring.models.size.BESIDE`.
        folder: is made to hold the result, complete or not at all; others beside it that are named like it, of other
            versions, are deleted. None: nothing is kept.
        report: is called with a line if it cannot be written; the next start packs again.

    """
    packed = pack(model, int8=BESIDE[precision] == "int8")
    for parameter in model.parameters():  # not buffers: the rotary frequencies stay in fp32
        parameter.data = parameter.data.to(compute_type(precision, gpu=False))
    if folder is not None:
        try:
            _keep(model if _folder_of_weights(folder, precision) == folder else None, packed, folder)
        except (OSError, SafetensorError) as error:
            report(f"The packed weights could not be kept in {folder} ({error}): each start packs them again.")
    use_packed(model, packed)


def _folder_of_weights(folder: Path, precision: str) -> Path:
    """Where the weights beside the packed ones are: those in fp32 are the embedded model's own."""
    return folder.parent if compute_type(precision, gpu=False) == torch.float32 else folder


def _keep(model: PreTrainedModel | None, packed: Packed, folder: Path) -> None:
    tensors: dict[str, Tensor] = {}
    for kind, weights in (("few", packed.few), ("many", packed.many)):
        for name, matrix in weights.items():
            tensors |= {f"{name}.{kind}.levels": matrix.levels, f"{name}.{kind}.scales": matrix.scales}
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
