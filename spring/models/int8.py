"""Products in 8-bit integers: of many rows in half of fp32's time on processors with instructions for it (VNNI).

Weights have a scale for each output, states one for each row. A few channels of a model's states are many times as
large as the others, which would be left with a few levels. So each block of 32 channels, of states and of weights, is
turned by a Hadamard matrix: products stay what they are, and what is large is spread over its block (QuaRot,
https://arxiv.org/abs/2404.00456, here within each layer). Without it the logits are seven times as far off
(`python -m benchmarks.rounding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd, sqrt

import torch
from torch import Tensor

BLOCK = 32  # channels that are turned together; a power of two
LEVELS = 127


@dataclass(frozen=True, eq=False)
class Int8Rows:
    """Rows (rows, in): turned, and rounded to `levels` (int8) times `scales` (rows, 1)."""

    levels: Tensor
    scales: Tensor


@dataclass(frozen=True, eq=False)
class Int8Weights:
    """A matrix (out, in): turned, and rounded to `levels` (int8) times `scales` (out,)."""

    levels: Tensor
    scales: Tensor

    def product(self, input: Tensor) -> Tensor:
        """Multiply rows (rows, in) with the weights: (rows, out) in the rows' type."""
        return self.times(round_rows(input)).to(input.dtype)

    def times(self, rows: Int8Rows) -> Tensor:
        """Multiply rounded rows, of which there may be several products: (rows, out), fp32."""
        sums: Tensor = torch._int_mm(rows.levels, self.levels.t())
        # In place: memory of this size is taken from the system each time.
        return sums.view(torch.float32).copy_(sums).mul_(self.scales).mul_(rows.scales)


def round_rows(input: Tensor) -> Int8Rows:
    """Round rows (rows, in) to 8 bits."""
    turned = _turned(input.float())
    scales = torch.maximum(turned.amax(1, keepdim=True), turned.amin(1, keepdim=True).neg_()).div_(LEVELS)
    # A row of zeros has the scale 0, and levels of 0 whatever it is divided by.
    levels = turned.mul_(scales.clamp(min=torch.finfo(torch.float32).tiny).reciprocal_()).round_()
    return Int8Rows(levels.to(torch.int8), scales)


def pack_int8(weight: Tensor) -> Int8Weights:
    """Round a matrix (out, in) to 8 bits."""
    rounded = round_rows(weight)
    return Int8Weights(rounded.levels, rounded.scales[:, 0].clone())


def products_in_int8(matrices: Sequence[Int8Weights], input: Tensor) -> list[Tensor]:
    """Products of the same rows (rows, in), which are rounded once: (rows, out) each, fp32."""
    rows = round_rows(input)
    return [weights.times(rows) for weights in matrices]


def join_int8(parts: Sequence[Int8Weights]) -> Int8Weights:
    """Matrices with the same input as one, for a product instead of several."""
    return Int8Weights(torch.cat([part.levels for part in parts]), torch.cat([part.scales for part in parts]))


def _turned(rows: Tensor) -> Tensor:
    block = gcd(BLOCK, rows.shape[1])
    return (rows.reshape(-1, block) @ _hadamard(block)).view(rows.shape)


@cache
def _hadamard(size: int) -> Tensor:
    """The symmetric orthogonal matrix (size, size) of Sylvester's construction; a power of two."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((matrix, -matrix), 1)))
    return matrix / sqrt(size)
