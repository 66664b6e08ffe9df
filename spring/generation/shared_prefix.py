"""Attention of several rows that have read the same passages, without a copy of their keys and values for each row.

The queries of all rows attend together to the shared keys, and each row's to the keys of its own tail. The two results
are joined by the logarithms of their softmax sums, which gives the attention over both (as in Hydragen,
https://arxiv.org/abs/2402.05099). On a CPU this reads the passages once for a token of all rows, not once for each.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "sdpa_shared_prefix"
Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (1, heads, length, head_dim)."""


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    shared_prefix: Layers | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """PyTorch's attention, as transformers calls it; over a shared prefix as well, where the model is given one.

    Args:
        module: the attention layer.
        query: (rows, heads, length, head_dim).
        key: (rows, key heads, slots, head_dim), of the tails.
        value: as the keys.
        attention_mask: (rows, 1, length, slots), added to the scores of the tails; all see the whole prefix.
        shared_prefix: by layer; None: the keys and values are all there is.
        options: those of transformers.

    """
    if shared_prefix is None:
        output: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output
    assert attention_mask is not None
    keys, values = shared_prefix[cast(int, module.layer_idx)]
    rows, _, length, width = query.shape
    heads = key.shape[1]
    # Query heads that share a key head become more queries of it: (rows, key heads, group * length, head_dim).
    query = query.reshape(rows, heads, -1, width)
    if length > 1:
        group = query.shape[2] // length
        attention_mask = attention_mask[:, :, None].expand(-1, -1, group, -1, -1).flatten(2, 3)
    flash, scale = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu, options.get("scaling")
    together = query.transpose(0, 1).reshape(1, heads, -1, width)
    of_prefix, prefix_sums = flash(together, keys, values, scale=scale)
    of_tail, tail_sums = flash(query, key, value, attn_mask=attention_mask, scale=scale)
    of_prefix, prefix_sums = (part[0].unflatten(1, (rows, -1)).transpose(0, 1) for part in (of_prefix, prefix_sums))
    share = torch.sigmoid(prefix_sums - tail_sums)[..., None]
    joined = torch.lerp(of_tail, of_prefix, share.to(of_tail.dtype))
    return joined.view(rows, -1, length, width).transpose(1, 2).contiguous(), None


def prepare_attention(model: PreTrainedModel) -> None:
    """Let a model on the CPU with PyTorch's attention take a shared prefix."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa" and model._supports_attention_backend:
        model.set_attn_implementation(NAME)


def takes_shared_prefix(model: PreTrainedModel) -> bool:
    """Whether `prepare_attention` did so, and nothing has changed it since."""
    return bool(model.config._attn_implementation == NAME)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
