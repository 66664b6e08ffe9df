"""Attention by bf16 products gives what PyTorch's fused kernel gives, as closely as bf16 allows."""

import pytest
import torch
from torch.nn import functional

from spring.generation.attention import HIDDEN
from spring.generation.attention_products import BLOCK, attend, can_multiply

WIDTH, HEADS, KEY_HEADS = 32, 6, 2


def states(rows: int, heads: int, length: int) -> torch.Tensor:
    """A view into a larger buffer, as a cache's are."""
    return torch.randn(rows, heads, length + 7, WIDTH).bfloat16()[:, :, :length]


@pytest.mark.parametrize(
    ("rows", "length", "slots", "kind"),
    [
        (1, 5, 5, "causal"),
        (1, 2 * BLOCK + 3, 2 * BLOCK + 3, "causal"),
        (2, BLOCK + 1, 3 * BLOCK, "causal"),
        (2, 9, 40, "visible"),
        (3, BLOCK + 9, 2 * BLOCK, "visible"),
        (3, BLOCK + 9, 2 * BLOCK, "added"),
    ],
)
def test_it_is_the_attention_of_the_fused_kernel(rows: int, length: int, slots: int, kind: str) -> None:
    torch.manual_seed(0)
    query, key, value = states(rows, HEADS, length), states(rows, KEY_HEADS, slots), states(rows, KEY_HEADS, slots)
    causal = torch.ones(length, slots, dtype=torch.bool).tril(slots - length)
    visible = causal if kind == "causal" else causal & (torch.rand(rows, 1, length, slots) < 0.5)
    visible = visible.expand(rows, 1, length, slots).clone()
    visible[..., 0] = True
    if kind == "added":
        mask = torch.zeros(visible.shape, dtype=query.dtype).masked_fill_(~visible, HIDDEN)
    else:
        mask = None if kind == "causal" else visible
    with torch.inference_mode():
        assert can_multiply(query)
        found = attend(query, key, value, mask, WIDTH**-0.5)
    query, key, value = query.float(), key.float(), value.float()
    right = functional.scaled_dot_product_attention(query, key, value, attn_mask=visible, enable_gqa=True)
    assert (found.float() - right.transpose(1, 2)).abs().max() < 0.03


@pytest.mark.parametrize("added", [True, False])
def test_a_query_that_sees_nothing_is_finite(added: bool) -> None:
    query, key = states(2, HEADS, 5), states(2, KEY_HEADS, 9)
    visible = torch.ones(2, 1, 5, 9, dtype=torch.bool)
    visible[0, 0, 1] = False
    mask = torch.zeros(visible.shape, dtype=query.dtype).masked_fill_(~visible, HIDDEN) if added else visible
    with torch.inference_mode():
        assert attend(query, key, key, mask, 1.0).isfinite().all()


def test_gradients_other_types_and_single_queries_are_left_to_the_kernel() -> None:
    assert not can_multiply(states(1, HEADS, 4))
    with torch.inference_mode():
        assert not can_multiply(states(1, HEADS, 1))
        assert not can_multiply(states(1, HEADS, 4).float())
