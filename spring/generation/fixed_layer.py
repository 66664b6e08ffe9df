"""A cache layer in buffers that stay where they are, for a decode step that is recorded once and then replayed."""

from typing import Any

from torch import Tensor

from spring.generation.kv_cache import BufferedLayer


class FixedLayer(BufferedLayer):
    """One layer's keys and values, (rows, heads, capacity, head_dim).

    While passages and questions are read it is a `BufferedLayer`; then a step writes at the slot that a tensor holds,
    and attends to all slots, of which the mask hides those that are not written yet.
    """

    slot: Tensor | None = None
    """Where the next states go, (1,); None: behind those that are stored."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Empty the buffers, which are allocated the first time only."""
        if not self.is_initialized:
            super().lazy_initialization(key_states, value_states)
        # The mask hides old states, but NaN times a weight of 0 would be NaN; nor should a visitor's be kept.
        self._keys.zero_()
        self._values.zero_()
        self.keys, self.values = self._keys[:, :, :0], self._values[:, :, :0]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Store states; returns those that are stored, or while a step runs all slots."""
        if self.slot is None:
            return super().update(key_states, value_states)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._keys.index_copy_(2, self.slot, key_states)
        self._values.index_copy_(2, self.slot, value_states)
        return self._keys, self._values
