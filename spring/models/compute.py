"""The type that a model computes in, by the precision of its weights and by where it computes."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import torch

BF16_SINCE = (8, 0)  # compute capability (Ampere); cards before it, T4 and V100, have fp16 units and emulate bf16


class Place(Enum):
    """Where a model computes."""

    CPU = "processor"
    GPU = "card"
    GPU_WITHOUT_BF16 = "card that emulates bf16"


_HALF = {Place.CPU: torch.bfloat16, Place.GPU: torch.bfloat16, Place.GPU_WITHOUT_BF16: torch.bfloat16}  # as asked for
_FULL = dict.fromkeys(Place, torch.float32)
# Packed weights are unpacked into this type for every product. fp32, bitsandbytes' own choice, is slow on a card, and
# the fastest on a processor.
_PACKED = {Place.CPU: torch.float32, Place.GPU: torch.bfloat16, Place.GPU_WITHOUT_BF16: torch.float16}

COMPUTE_TYPES: Mapping[str, Mapping[Place, torch.dtype]] = MappingProxyType(
    {
        "fp32": _FULL,
        "bf16": _HALF,
        "int4": _HALF,
        "int4-int8": _FULL,
        "int4-fp32": _FULL,
        "4bit": _PACKED,
        "4bit-double": _PACKED,
    }
)


def place_of(gpu: bool, learning: bool = False) -> Place:
    """Where a model will compute.

    Args:
        gpu: whether on a card; of several, one without bf16 decides.
        learning: whether gradients flow through it. These leave the range of fp16, so a card must emulate bf16.

    """
    if not gpu:
        return Place.CPU
    cards = range(torch.cuda.device_count())
    # PyTorch for AMD's cards (ROCm), whose capabilities count otherwise, computes bf16 on all that it supports.
    has_bf16 = torch.version.hip or all(torch.cuda.get_device_capability(card) >= BF16_SINCE for card in cards)
    return Place.GPU if has_bf16 or learning else Place.GPU_WITHOUT_BF16


def compute_type(precision: str, gpu: bool, learning: bool = False) -> torch.dtype:
    """Type of a model's activations and of its weights that are not packed, for a precision other than "auto"."""
    return COMPUTE_TYPES[precision][place_of(gpu, learning)]
