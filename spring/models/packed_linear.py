"""The precisions int4: linear layers with 4-bit weights for few rows, beside bf16 or fp32 weights for many.

To write, each token reads every weight once for a handful of rows: fewer bytes take less time. To read passages,
hundreds of rows share each weight, and bf16 products are the fastest on processors that have them, fp32 on others.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from spring.models.rounding import PackedWeights, can_be_packed, pack_4_bits, pack_8_bits

MOST_ROWS = 16  # for more the plain product is the faster one


class PackedLinear(nn.Linear):
    """A linear layer with a second, packed form of its weights.

    Args:
        linear: its weights, which may be tied to others, are shared.
        packed: the same weights, rounded.

    """

    def __init__(self, linear: nn.Linear, packed: PackedWeights) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        # A plain attribute: looking up a module's buffers in each layer took a 20th of a token's time.
        self.packed = packed

    def forward(self, input: Tensor) -> Tensor:
        """Multiply few rows with the packed weights, others and those with gradients with the plain ones."""
        rows = input.numel() // self.in_features
        if rows > MOST_ROWS or torch.is_grad_enabled():
            return functional.linear(input, self.weight, self.bias)
        output = self.packed.product(input.reshape(rows, -1))
        if self.bias is not None:
            output += self.bias
        return output.view(*input.shape[:-1], -1)


def pack(model: PreTrainedModel) -> dict[str, PackedWeights]:
    """Round the weights of all linear layers that can be packed: to 4 bits, and of the output layer to 8.

    The output layer decides between near words, and rounded to 4 bits it loses four exact matches in a hundred.

    Returns:
        The packed weights by the layer's name.

    """
    head = model.get_output_embeddings()
    return {
        name: (pack_8_bits if module is head else pack_4_bits)(module.weight.detach())
        for name, module in model.named_modules()
        if type(module) is nn.Linear and can_be_packed(module.weight)
    }


def use_packed(model: PreTrainedModel, packed: Mapping[str, PackedWeights]) -> None:
    """Give the linear layers of a model their packed weights."""
    for name, weights in packed.items():
        linear = model.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        model.set_submodule(name, PackedLinear(linear, weights))
