"""Rows that share one prefix's passages, and have a cache for what follows these only: see `shared_prefix`.

The questions are read as one sequence without padding, of which each sees the passages, its k virtual tokens and
itself, and then go into the rows, whose slots are

    | t1 ......... tK | padding | question | answer ...
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from spring.generation.attention import RowMasks, scores_of
from spring.generation.forward import logits_of
from spring.generation.kv_cache import BufferedLayer, new_cache
from spring.generation.rows import RowInput, Rows
from spring.generation.shared_prefix import Layers, takes_shared_prefix
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone

MOST_QUESTION_TOKENS = 1024  # of all rows together: their mask has the square of that


def can_share(backbone: Backbone, inputs: Sequence[RowInput]) -> bool:
    """Whether all rows have the same passages, and the model's attention takes them apart from the rest."""
    prefix = inputs[0].prefix
    return (
        takes_shared_prefix(backbone.model)
        and backbone.window is None
        and bool(prefix.ids)  # none stand left of tokens at the front
        and all(row.prefix is prefix for row in inputs)
        and sum(len(row.question) for row in inputs) <= MOST_QUESTION_TOKENS
    )


class SharedRows(Rows):
    """See the module's docstring."""

    def __init__(self, backbone: Backbone, inputs: Sequence[RowInput], options: DecodingOptions) -> None:
        super().__init__(backbone, inputs, options)
        self._prefix = inputs[0].prefix
        self._passages = len(self._prefix.ids)
        # Views: another stream may add virtual tokens to the prefix meanwhile, behind them.
        self._shared = [
            (layer.keys[:, :, : self._passages], layer.values[:, :, : self._passages]) for layer in self._prefix.layers
        ]

    def _feed(self, embeddings: Tensor, start: int, end: int, shared: Layers | None = None) -> Tensor:
        return super()._feed(embeddings, start, end, shared or self._shared)

    def read_questions(self) -> Tensor:
        """Feed the questions as one sequence, and give each row its own."""
        questions = [row.question for row in self.inputs]
        length = sum(map(len, questions))
        # visible (tokens, slots) and positions (tokens,) of the sequence; the slots are t1..tK and the sequence itself
        visible = torch.zeros((length, self.most_virtual + length), dtype=torch.bool)
        positions = torch.empty(length, dtype=torch.long)
        begin = 0
        for row, question in zip(self.inputs, questions, strict=True):
            end = begin + len(question)
            visible[begin:end, : row.virtual_tokens] = True
            visible[begin:end, self.most_virtual + begin : self.most_virtual + end] = torch.ones(
                (len(question), len(question)), dtype=torch.bool
            ).tril()
            positions[begin:end] = self._passages + row.virtual_tokens + torch.arange(len(question))
            begin = end
        packed = new_cache(self.backbone.layers, self.most_virtual + length)
        virtual = slice(self._passages, self._passages + self.most_virtual)
        for layer, prefix in zip(cast(list[BufferedLayer], packed.layers), self._prefix.layers, strict=True):
            layer.update(prefix.keys[:, :, virtual], prefix.values[:, :, virtual])
        ids = torch.tensor([[id for question in questions for id in question]])
        scores = scores_of(self.backbone, visible)
        ends = torch.tensor([len(question) for question in questions]).cumsum(0) - 1
        embeddings, mask = self.backbone.embed(ids), scores[None, None]
        logits = logits_of(self.backbone, embeddings, positions[None], mask, packed, ends, self._shared)
        self._unpack(cast(list[BufferedLayer], packed.layers))
        return logits[0].float()

    def _unpack(self, packed: Sequence[BufferedLayer]) -> None:
        """Make the rows' cache and masks from the sequence of all questions."""
        rows, length = len(self.inputs), self.most_virtual + self.questions
        visible = torch.ones((rows, length + self.new_tokens), dtype=torch.bool)
        slots = torch.zeros((rows, length), dtype=torch.long)  # of the sequence; padding may be any, as it is hidden
        slots[:, : self.most_virtual] = torch.arange(self.most_virtual)
        end = self.most_virtual
        for place, row in enumerate(self.inputs):
            begin, end = end, end + len(row.question)
            slots[place, length - len(row.question) :] = torch.arange(begin, end)
            visible[place, row.virtual_tokens : length - len(row.question)] = False
        self.masks = RowMasks(self.backbone, visible, self._passages)
        self.cache = new_cache(len(packed), length + self.new_tokens)
        for layer, source in zip(cast(list[BufferedLayer], self.cache.layers), packed, strict=True):
            layer.update(*(read[0][:, slots].transpose(0, 1) for read in (source.keys, source.values)))
