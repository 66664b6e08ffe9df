"""Attention masks and positions of a batch whose rows see different slots of one key/value cache."""

import torch
from torch import Tensor

from spring.models.backbone import Backbone

HIDDEN = float("-inf")  # is added to an attention score


class RowMasks:
    """What each row sees, for all steps of a stream: computed once, so that a step only takes a view.

    Args:
        backbone: its attention windows, the type and device of the masks.
        visible: (rows, slots), whether a row sees a slot; so it does those whose tokens are yet to come.
        before: how many positions all rows see besides, before these slots.

    """

    def __init__(self, backbone: Backbone, visible: Tensor, before: int = 0) -> None:
        self._backbone = backbone
        self._positions = (visible.cumsum(1) - 1).clamp(min=0) + before
        self._scores = scores_of(backbone, visible)[:, None, None, :]

    def keep_rows(self, order: list[int]) -> None:
        """Go on with some rows, in this order."""
        self._positions, self._scores = self._positions[order], self._scores[order]

    def positions(self, start: int, end: int) -> Tensor:
        """Position ids (rows, end - start) of the slots start..end: only visible slots count."""
        return self._positions[:, start:end]

    def attention(self, start: int, end: int) -> Tensor | dict[str, Tensor]:
        """What is added to the scores of the slots start..end over all slots before `end`.

        Returns:
            (rows, 1, end - start, end); for a model with windows in some layers, one for each kind of layer.

        """
        full = self._scores[..., :end]
        if start + 1 < end:
            slots = torch.arange(end, device=full.device)
            full = full.masked_fill(slots > slots[start:, None], HIDDEN)
        positions = self._positions[:, None, None, :end]
        return by_layer(self._backbone, full, positions[..., start:].transpose(2, 3), positions)

    def write_to(self, scores: Tensor, positions: Tensor, read: int) -> None:
        """Fill the buffers (rows, 1, 1, slots) of a step; the slots from `read` on are hidden there for now."""
        scores.fill_(HIDDEN)
        scores[..., :read] = self._scores[..., :read]
        positions[..., : self._positions.shape[1]] = self._positions[:, None, None]


def scores_of(backbone: Backbone, visible: Tensor) -> Tensor:
    """What is added to attention scores so that only the visible is seen: the same shape, in the model's type."""
    scores = torch.zeros(visible.shape, dtype=backbone.model.dtype, device=visible.device)
    return scores.masked_fill_(~visible, HIDDEN)


def by_layer(backbone: Backbone, scores: Tensor, queries: Tensor, slots: Tensor) -> Tensor | dict[str, Tensor]:
    """Hide what lies outside the attention windows.

    Transformers counts a window in slots, but some are padding, or virtual tokens that a row does not see.

    Args:
        backbone: its windows.
        scores: what is added to the attention scores where nothing lies outside, (rows, 1, queries, slots).
        queries: positions, (rows, 1, queries, 1).
        slots: positions, (rows, 1, 1, slots).

    Returns:
        The scores; for a model with windows in some layers, one for each kind of layer.

    """
    if backbone.window is None or scores.shape[-1] <= backbone.window:
        return scores
    sliding = scores.masked_fill(queries - slots >= backbone.window, HIDDEN)
    return {"full_attention": scores, "sliding_attention": sliding} if backbone.mixed else sliding
