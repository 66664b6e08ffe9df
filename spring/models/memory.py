"""Check that a model fits into the free memory before it is loaded."""

import os
from pathlib import Path

import psutil
import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from spring.errors import BackboneError
from spring.models.catalog import KNOWN_BACKBONES
from spring.models.size import Size

GIGABYTE = 1e9
CGROUP = Path("/sys/fs/cgroup")  # holds a container's own limit (cgroup v2)


def model_without_weights(config: PreTrainedConfig) -> PreTrainedModel:
    """The model of a configuration, with parameters on the meta device: shapes without values or memory.

    Raises:
        ValueError: it cannot be loaded with PyTorch's attention, or is no causal language model.

    """
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    return model


def embedding_width(model: PreTrainedModel) -> int:
    """Width of an input embedding."""
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    return embedding.embedding_dim


def size_of(model: PreTrainedModel) -> Size:
    """Count a model's parameters; 4-bit loading packs every linear layer except the output layer."""
    head = model.get_output_embeddings()
    linear = [module for module in model.modules() if isinstance(module, nn.Linear) and module is not head]
    packed = sum(module.in_features * module.out_features for module in linear)
    held = sum(module.weight.numel() for module in linear if module.weight is not None)  # none: given up, once packed
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    other = sum(parameter.numel() for parameter in model.parameters()) - held
    return Size(packed, other, 2 * config.num_hidden_layers * heads * width)


def free_bytes(gpu: bool) -> int:
    """Free memory in bytes: of all GPUs that one model may use, or of this machine or container."""
    if gpu:
        local = os.environ.get("LOCAL_RANK")  # of several processes each has its own GPU
        devices = range(torch.cuda.device_count()) if local is None else [int(local)]
        return sum(torch.cuda.mem_get_info(device)[0] for device in devices)
    free = int(psutil.virtual_memory().available)
    limit = CGROUP / "memory.max"
    if limit.is_file() and (most := limit.read_text().strip()).isdecimal():
        # The kernel's file cache counts as used, but is released on demand.
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        used = int((CGROUP / "memory.current").read_text()) - int(stat.get("inactive_file", 0))
        free = min(free, int(most) - used)
    return free


def gpu_with(needed: int) -> int | None:
    """The first GPU with that many bytes free; None: no single one has them."""
    return next((gpu for gpu in range(torch.cuda.device_count()) if torch.cuda.mem_get_info(gpu)[0] >= needed), None)


def fits_memory(size: Size, precision: str, gpu: bool) -> bool:
    """Whether the free memory holds the weights, the keys and values of some answers, and the work."""
    return size.bytes_needed(precision, gpu) <= free_bytes(gpu)


def require_memory(name: str, size: Size, precision: str, gpu: bool) -> None:
    """Refuse a model that does not fit.

    Raises:
        BackboneError: with the memory needed, the memory free, and what to choose instead.

    """
    needed, free = size.bytes_needed(precision, gpu), free_bytes(gpu)
    if needed <= free:
        return
    if size.bytes_needed("4bit", gpu) <= free:
        instead = "the precision 4bit"
    else:
        fitting = [known for known in KNOWN_BACKBONES.values() if known.size.bytes_needed("4bit", gpu) <= free]
        largest = max(fitting, key=lambda known: known.size.parameters, default=None)
        instead = f"the backbone {largest.name} in 4bit" if largest else "a machine with more memory"
    raise BackboneError(
        f"The backbone {name} needs about {needed / GIGABYTE:.1f} GB of memory in {precision}, but "
        f"{'the GPU' if gpu else 'this machine'} has {free / GIGABYTE:.1f} GB free: choose {instead}."
    )
