"""Attention of several rows that have read the same passages, without a copy of their keys and values for each row.

The queries of all rows attend together to the shared keys, and each row's to the keys of its own tail. The two results
are joined by the logarithms of their softmax sums, which gives the attention over both (as in Hydragen,
https://arxiv.org/abs/2402.05099). On a CPU this reads the passages once for a token of all rows, not once for each.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from spring.generation.attention import HIDDEN
from spring.generation.attention_products import attend, can_multiply

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
    if shared_prefix is None and not can_multiply(query):
        output: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return output
    shared = None if shared_prefix is None else shared_prefix[cast(int, module.layer_idx)]
    return attend_to(query, key, value, attention_mask, options["scaling"], shared), None


def attend_to(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    scale: float,
    shared: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Attention to keys, and to shared ones before them; arguments as of `attention`, but `shared` of one layer.

    Without a mask the last query sees all keys, each before it one less.

    Returns:
        (rows, length, heads, head_dim).

    """
    if shared is not None:
        assert mask is not None
        if query.shape[0] > 1 or not can_multiply(query):
            return _attend_to_both(query, key, value, mask, scale, *shared)
        keys, values = shared
        key, value = torch.cat((keys, key), dim=2), torch.cat((values, value), dim=2)
        mask = functional.pad(mask, (keys.shape[2], 0))
    if can_multiply(query):
        return attend(query, key, value, mask, scale)
    length, slots = query.shape[2], key.shape[2]
    if mask is None and 1 < length < slots:
        mask = query.new_full((length, slots), HIDDEN).triu_(1 + slots - length)
    attended = functional.scaled_dot_product_attention(
        query, key, value, mask, is_causal=mask is None and length > 1, scale=scale, enable_gqa=True
    )
    return attended.transpose(1, 2)


def _attend_to_both(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, shared_keys: Tensor, shared_values: Tensor
) -> Tensor:
    """Attend to the shared keys with the queries of all rows together, to a row's own with its own, and join both."""
    rows, _, length, width = query.shape
    heads = key.shape[1]
    # Query heads that share a key head become more queries of it: (rows, key heads, group * length, head_dim).
    query = query.reshape(rows, heads, -1, width)
    if length > 1:
        group = query.shape[2] // length
        mask = mask[:, :, None].expand(-1, -1, group, -1, -1).flatten(2, 3)
    flash = torch._scaled_dot_product_flash_attention_for_cpu
    together = query.transpose(0, 1).reshape(1, heads, -1, width)
    of_prefix, prefix_sums = flash(together, shared_keys, shared_values, scale=scale)
    of_tail, tail_sums = flash(query, key, value, attn_mask=mask, scale=scale)
    of_prefix, prefix_sums = of_prefix.view(heads, rows, -1, width), prefix_sums.view(heads, rows, -1)
    share = torch.sigmoid_(prefix_sums.transpose(0, 1) - tail_sums)[..., None]
    joined = torch.lerp(of_tail, of_prefix.transpose(0, 1), share.to(of_tail.dtype))
    return joined.view(rows, -1, length, width).transpose(1, 2).contiguous()


def prepare_attention(model: PreTrainedModel) -> None:
    """Let a model on the CPU with PyTorch's attention take a shared prefix."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa" and model._supports_attention_backend:
        model.set_attn_implementation(NAME)


def takes_shared_prefix(model: PreTrainedModel) -> bool:
    """Whether `prepare_attention` did so, and nothing has changed it since."""
    return bool(model.config._attn_implementation == NAME)


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
