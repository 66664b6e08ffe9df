"""Round weights to few bits in groups of 32, and pack them for PyTorch's 4-bit product on the CPU.

The product computes weights as (level - 8) * scale + zero, with levels 0 to 15, and a scale and a zero in bf16 for each
group. Four bits span a group from its smallest to its largest weight. This is the rule of GGUF's type Q4_1, so weights
that were stored in that type get back the levels that they had. Eight bits (Q8_0, symmetric) are two levels of four:
weights 16 * a + b side by side, to be multiplied with the input beside itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 32  # weights that share a scale and a zero
ROWS_MULTIPLE = 16  # of a matrix that the product takes
ROWS_PACKED = 64  # of a matrix that lie together when they are packed


@dataclass(frozen=True, eq=False)
class PackedWeights:
    """A matrix (out, in) in the form that the product takes.

    Attributes:
        levels: (out, columns / 2) bytes in an order that depends on the processor; `columns` is `in`, or twice that
            for 8 bits.
        scales: (columns / GROUP, out, 2), bf16: the scale and the zero of each group.

    """

    levels: Tensor
    scales: Tensor

    @property
    def columns(self) -> int:
        """Numbers that the input of the product must have."""
        return self.scales.shape[0] * GROUP

    def product(self, input: Tensor) -> Tensor:
        """Multiply rows (rows, in), rounded to bf16, with the weights: (rows, out) in the rows' type."""
        rounded = input.bfloat16()
        if self.columns > input.shape[1]:
            rounded = torch.cat((rounded, rounded), dim=1)
        output: Tensor = torch._weight_int4pack_mm_for_cpu(rounded, self.levels, GROUP, self.scales)
        return output.type_as(input)


def join(parts: Sequence[PackedWeights]) -> PackedWeights | None:
    """Matrices with the same input as one, for a product instead of several; None if their rows do not allow it."""
    if any(part.scales.shape[1] % ROWS_PACKED for part in parts):
        return None
    return PackedWeights(torch.cat([part.levels for part in parts]), torch.cat([part.scales for part in parts], dim=1))


def can_be_packed(weight: Tensor) -> bool:
    """Whether the product takes a matrix of this shape."""
    rows, columns = weight.shape
    return rows % ROWS_MULTIPLE == 0 and columns % GROUP == 0


def pack_4_bits(weight: Tensor) -> PackedWeights:
    """Round a matrix (out, in) to 4 bits."""
    groups = weight.float().unflatten(1, (-1, GROUP))
    low, high = groups.aminmax(dim=2, keepdim=True)
    scale = (high - low) / 15
    levels = ((groups - low) / _divisor(scale)).round_().clamp_(0, 15)
    return _packed(levels.flatten(1), scale[..., 0], (low + 8 * scale)[..., 0])


def pack_8_bits(weight: Tensor) -> PackedWeights:
    """Round a matrix (out, in) to 8 bits, as two matrices of 4 bits side by side."""
    groups = weight.float().unflatten(1, (-1, GROUP))
    scale = groups.abs().amax(dim=2, keepdim=True) / 127
    levels = (groups / _divisor(scale)).round_().clamp_(-127, 127).add_(128).flatten(1)
    high, scale = (levels / 16).floor_(), scale[..., 0].bfloat16().float()
    # (high - 8) * 16 * scale + (low - 8) * scale + 8 * scale = (levels - 128) * scale
    return _packed(
        torch.cat((high, levels - 16 * high), dim=1),
        torch.cat((16 * scale, scale), dim=1),
        torch.cat((torch.zeros_like(scale), 8 * scale), dim=1),
    )


def _divisor(scale: Tensor) -> Tensor:
    """Scales, with 1 in place of those of groups whose weights are all alike."""
    return torch.where(scale > 0, scale, 1.0)


def _packed(levels: Tensor, scale: Tensor, zero: Tensor) -> PackedWeights:
    """Levels (out, columns), scales and zeros (out, groups) as the product takes them."""
    scales = torch.stack((scale, zero), dim=2).transpose(0, 1).to(torch.bfloat16).contiguous()
    return PackedWeights(torch._convert_weight_to_int4pack_for_cpu(levels.to(torch.int32), 1), scales)
