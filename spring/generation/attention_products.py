"""Attention of many queries in bf16 on a CPU by plain products, which take half the time of PyTorch's fused kernel.

That kernel computes in fp32 whatever it is given; the processors for which bf16 is chosen multiply bf16 several times
as fast. As in every attention that is not fused, the scores are rounded to bf16, and the softmax is computed in fp32.
"""

import torch
from torch import Tensor
from torch.nn import functional

from spring.generation.attention import HIDDEN

BLOCK = 128  # queries at a time: their scores stay in the processor's cache


def can_multiply(query: Tensor) -> bool:
    """Whether the products are the faster way: many queries in bf16, instructions for it, and no gradients."""
    is_bf16 = query.dtype == torch.bfloat16 and query.device.type == "cpu"
    return is_bf16 and query.shape[2] > 1 and not torch.is_grad_enabled() and can_multiply_bf16()


def can_multiply_bf16() -> bool:
    """Whether this processor has products of bf16 other than naive ones."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """Attention of each row's queries to its keys.

    Args:
        query: (rows, heads, length, width).
        key: (rows, key heads, slots, width).
        value: as the keys.
        mask: (rows or 1, 1, length, slots), whether a query sees a slot, or what is added to its score; None: the last
            query sees all slots, each before it one less.
        scale: factor of the scores.

    Returns:
        (rows, length, heads, width).

    """
    rows, heads, length, width = query.shape
    key_heads, slots = key.shape[1:3]
    shape = rows, key_heads, heads // key_heads  # query heads that share a key head are more queries of it
    query = (query * scale).view(*shape, length, width)
    keys, values = key.flatten(0, 1).transpose(1, 2), value.flatten(0, 1)
    output = query.new_empty((rows, length, heads, width))
    lowest = torch.finfo(query.dtype).min  # a padding token that sees nothing would have the softmax of -inf alone: NaN
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        size = end - start
        seen = slots if mask is not None else slots - length + end
        block = query[..., start:end, :].reshape(keys.shape[0], -1, width)
        scores = torch.bmm(block, keys[..., :seen]).view(*shape, size, seen)
        if mask is None:
            scores[..., -size:] += torch.full((size, size), HIDDEN, dtype=scores.dtype).triu_(1)
        elif mask.dtype == torch.bool:
            scores.masked_fill_(~mask[:, :, None, start:end], lowest)
        else:
            scores += mask[:, :, None, start:end].clamp(min=lowest)
        weights = functional.softmax(scores, -1).view(keys.shape[0], -1, seen)
        attended = torch.bmm(weights, values[:, :seen]).view(rows, heads, size, width)
        output[:, start:end] = attended.transpose(1, 2)
    return output
