"""Adjust a model for the CPU: faster products of few rows, and 4-bit weights that are not repacked."""

import logging
from types import MethodType

import torch
from torch import Tensor, nn
from torch.nn import functional

# MKL's products for processors with AVX512 are slow for fewer rows than those without (`benchmarks.few_rows`).
MOST_ROWS = 6 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 64

# On import it warns that a package for repacked weights is missing, which `keep_quantized_weights` makes unnecessary.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def speed_up_linear(model: nn.Module) -> None:
    """Make the fp32 linear layers of a model on the CPU compute few rows as (W x^T)^T.

    For one row x W^T is a matrix-vector product at memory speed. For 2 rows and more it is a general product that
    takes 1.5 to 4 times as long though it reads the same weights; transposed it does not, up to MOST_ROWS rows
    (`python -m benchmarks.few_rows`). Weights and parameters are unchanged.
    """
    for module in model.modules():
        # Exactly nn.Linear: quantized layers derive from it and have products of their own.
        if type(module) is nn.Linear and module.weight.device.type == "cpu" and module.weight.dtype == torch.float32:
            module.forward = MethodType(_forward, module)  # type: ignore[method-assign]


def _forward(self: nn.Linear, input: Tensor) -> Tensor:
    rows = input.numel() // input.shape[-1]
    if torch.is_grad_enabled() or not 2 <= rows <= MOST_ROWS:
        return functional.linear(input, self.weight, self.bias)
    output = torch.mm(self.weight, input.reshape(rows, -1).t()).t().contiguous()
    if self.bias is not None:
        output += self.bias
    return output.view(*input.shape[:-1], -1)


def keep_quantized_weights(model: nn.Module) -> None:
    """Keep bitsandbytes from repacking 4-bit weights on a CPU with AVX512-BF16.

    There its first forward pass without gradient converts the weights into a form without backward pass (virtual
    tokens would silently learn from the other layers only), rounds their scales to bf16, and does not support every
    shape. Other CPUs use the packed weights as they are; with this, so do these.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):  # bitsandbytes.nn.Linear4bit
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
