"""Positions and attention masks of a batch whose rows see different slots of one key/value cache."""

import torch
from torch import Tensor

from spring.models.backbone import Backbone


def positions_of(mask: Tensor, start: int, end: int) -> Tensor:
    """Position ids (rows, end - start) of the slots start..end: only visible slots count.

    Args:
        mask: (rows, slots), 1 where a row sees a slot.
        start: first slot.
        end: the slot after the last.

    """
    return (mask[:, :end].cumsum(1) - 1).clamp(min=0)[:, start:]


def attention_of(backbone: Backbone, mask: Tensor, start: int, end: int) -> Tensor | dict[str, Tensor]:
    """What the slots start..end see: (rows, end), or (rows, 1, end - start, end) where a sliding window matters.

    Transformers counts a window in slots, but some of these are padding, or virtual tokens that a row does not see.
    """
    window, seen = backbone.window, mask[:, :end]
    if window is None or end <= window:
        return seen
    counts = seen.cumsum(1)
    slots = torch.arange(end, device=mask.device)
    full = seen.bool()[:, None, None, :] & (slots <= slots[start:, None])
    sliding = full & (counts[:, None, start:, None] - counts[:, None, None, :] < window)
    return {"full_attention": full, "sliding_attention": sliding} if backbone.mixed else sliding
