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
        scores = torch.zeros(visible.shape, dtype=backbone.model.dtype, device=visible.device)
        self._scores = scores.masked_fill_(~visible, HIDDEN)[:, None, None, :]

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
        window = self._backbone.window
        full = self._scores[..., :end]
        if start + 1 < end:
            slots = torch.arange(end, device=full.device)
            full = full.masked_fill(slots > slots[start:, None], HIDDEN)
        if window is None or end <= window:
            return full
        # Transformers counts a window in slots, but some are padding, or virtual tokens that a row does not see.
        positions = self._positions[:, None, None, :end]
        outside = positions[..., start:].transpose(2, 3) - positions >= window
        sliding = full.masked_fill(outside, HIDDEN)
        return {"full_attention": full, "sliding_attention": sliding} if self._backbone.mixed else sliding
