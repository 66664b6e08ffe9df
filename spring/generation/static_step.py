"""One decode step in tensors that stay where they are: what a CUDA graph records, and what runs without one as well.

A step feeds one id a row and chooses the next. The slot that it writes, what each row sees, positions, sampling and
the end of an answer are tensors that the step itself changes, so it needs nothing from the host.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache

from spring.generation.attention import HIDDEN, RowMasks, by_layer
from spring.generation.fixed_layer import FixedLayer
from spring.generation.sampling import Sampler, is_sampled
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone
from spring.models.size import STEP_SLOTS

NO_ID = -1
REHEARSED = 4  # steps


@dataclass(frozen=True, slots=True)
class StepShape:
    """What a step is made for."""

    rows: int
    capacity: int  # slots of the cache
    sampled: bool  # tokens are drawn at random

    @classmethod
    def of(cls, rows: int, slots: int, options: DecodingOptions) -> "StepShape":
        """The shape of the step for rows of so many slots, those of the new tokens included."""
        return cls(rows, -(-slots // STEP_SLOTS) * STEP_SLOTS, is_sampled(options))

    def __str__(self) -> str:
        return f"{self.rows} row{'s' if self.rows > 1 else ''} of {self.capacity} slots"


class StaticStep:
    """The tensors of a step, and the step. For the model's worker thread only.

    Args:
        backbone: the model.
        shape: of the tensors.

    """

    def __init__(self, backbone: Backbone, shape: StepShape) -> None:
        self.backbone, self.shape = backbone, shape
        model = backbone.model
        self.sampler = Sampler(shape.sampled, model.device)
        self._layers = [FixedLayer(shape.capacity) for _ in range(backbone.layers)]
        self.cache = Cache(layers=list(self._layers))
        self.ids = torch.zeros(shape.rows, dtype=torch.long, device=model.device)  # the latest, which are fed next
        self._slot = torch.zeros(1, dtype=torch.long, device=model.device)
        self._ended = torch.zeros(shape.rows, dtype=torch.bool, device=model.device)
        self._end_ids = torch.full((max(1, len(backbone.eos_ids)),), NO_ID, device=model.device)
        of_slots = (shape.rows, 1, 1, shape.capacity)
        self._positions = torch.zeros(of_slots, dtype=torch.long, device=model.device)
        self._scores = torch.full(of_slots, HIDDEN, dtype=model.dtype, device=model.device)
        self._write_at(self._slot)

    def empty(self) -> Cache:
        """The cache, for the passages and questions of another stream."""
        self._write_at(None)
        return self.cache

    def start(self, masks: RowMasks, ids: Tensor, options: DecodingOptions) -> None:
        """Go on from what the cache holds.

        Args:
            masks: of the rows, for all slots.
            ids: chosen behind the questions, (rows,).
            options: whether an end-of-sequence token ends a row.

        """
        read = self.cache.get_seq_length()
        masks.write_to(self._scores, self._positions, read)
        self._slot.fill_(read)
        self._end_ids.fill_(NO_ID)
        if self.backbone.eos_ids and not options.ignore_eos:
            self._end_ids.copy_(torch.tensor(sorted(self.backbone.eos_ids)))
        self._ended.zero_()
        self._keep(ids)
        self._write_at(self._slot)

    def run(self) -> None:
        """Feed the latest ids and choose the next; nothing in it waits for the device."""
        self._scores.index_fill_(3, self._slot, 0.0)
        positions = self._positions.index_select(3, self._slot)  # (rows, 1, 1, 1)
        output = self.backbone.model(
            inputs_embeds=self.backbone.embed(self.ids[:, None]),
            attention_mask=by_layer(self.backbone, self._scores, positions, self._positions),
            position_ids=positions[:, 0, 0],
            **{self.backbone.cache_keyword: self.cache},
            logits_to_keep=1,
        )
        self._keep(self.sampler.choose(output.logits[:, -1].float()))
        self._slot.add_(1)

    def rehearse(self, run: Callable[[], object]) -> Tensor:
        """The ids (REHEARSED, rows) that a way to run the step chooses, always from the same state."""
        self._slot.zero_()
        self._ended.zero_()
        self._end_ids.fill_(NO_ID)
        self._scores.fill_(HIDDEN)
        self._positions.copy_(torch.arange(self.shape.capacity))
        self.ids.copy_(torch.arange(self.shape.rows))
        self.sampler.start(DecodingOptions(temperature=1.0))
        chosen = []
        for _ in range(REHEARSED):
            run()
            chosen.append(self.ids.clone())
        return torch.stack(chosen)

    def _keep(self, chosen: Tensor) -> None:
        """Make the chosen ids (rows,) the latest; a row that has ended repeats its end."""
        self.ids.copy_(torch.where(self._ended, self.ids, chosen))
        self._ended.logical_or_((self.ids[:, None] == self._end_ids).any(1))

    def _write_at(self, slot: Tensor | None) -> None:
        for layer in self._layers:
            layer.slot = slot
