"""The precisions int4: linear layers with 4-bit weights for few rows, beside bf16 or 8-bit weights for many.

To write, each token reads every weight once for a handful of rows: fewer bytes take less time. To read passages,
hundreds of rows share each weight, and what counts is how fast the processor multiplies: bf16 or 8-bit integers. The
output layer has 8 bits for few rows; as integers, where those are fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from spring.models.int8 import Int8Weights, pack_int8
from spring.models.rounding import PackedWeights, can_be_packed, pack_4_bits, pack_8_bits

MOST_ROWS = 16  # for more the plain product is the faster one
FewRows: TypeAlias = PackedWeights | Int8Weights
"""A matrix that is multiplied with few rows."""


class PackedLinear(nn.Linear):
    """A linear layer with packed forms of its weights.

    Args:
        linear: its weights, which may be tied to others, are shared.
        packed: the same weights, rounded, for few rows.
        int8: the same for many rows; the layer's own weights are given up then.

    """

    def __init__(self, linear: nn.Linear, packed: FewRows, int8: Int8Weights | None = None) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight = linear.weight if int8 is None else None  # type: ignore[assignment]
        self.bias = linear.bias
        # Plain attributes: looking up a module's buffers in each layer took a 20th of a token's time.
        self.packed, self.int8 = packed, int8

    def forward(self, input: Tensor) -> Tensor:
        """Multiply few rows with the weights for them; many, and those with gradients, with the others."""
        rows = input.numel() // self.in_features
        many = rows > MOST_ROWS or torch.is_grad_enabled()
        if many and self.int8 is None:
            return functional.linear(input, self.weight, self.bias)
        product = self.int8.product if many and self.int8 is not None else self.packed.product
        output = product(input.reshape(rows, -1))
        if self.bias is not None:
            output += self.bias
        return output.view(*input.shape[:-1], -1)


@dataclass(frozen=True, eq=False)
class Packed:
    """The packed weights of a model, by the layer's name."""

    few: Mapping[str, FewRows]
    many: Mapping[str, Int8Weights]  # empty where many rows are multiplied with the layers' own weights


def pack(model: PreTrainedModel, int8: bool) -> Packed:
    """Round the weights of all linear layers that can be packed: to 4 bits, and of the output layer to 8.

    The output layer decides between near words, and rounded to 4 bits it loses four exact matches in a hundred.

    Args:
        model: its weights as they were stored.
        int8: whether the processor multiplies 8-bit integers fast: many rows, and few with the output layer.

    """
    head = model.get_output_embeddings()
    weights = {
        name: module.weight.detach()
        for name, module in model.named_modules()
        if type(module) is nn.Linear and can_be_packed(module.weight)
    }
    of_head = {name for name in weights if model.get_submodule(name) is head}
    few: dict[str, FewRows] = {name: pack_4_bits(weight) for name, weight in weights.items() if name not in of_head}
    few |= {name: (pack_int8 if int8 else pack_8_bits)(weights[name]) for name in of_head}
    many = {name: pack_int8(weight) for name, weight in weights.items() if int8 and name not in of_head}
    return Packed(few, many)


def use_packed(model: PreTrainedModel, packed: Packed) -> None:
    """Give the linear layers of a model their packed weights."""
    for name, weights in packed.few.items():
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        model.set_submodule(name, PackedLinear(linear, weights, packed.many.get(name)))
