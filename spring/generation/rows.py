"""The rows of a batch: what they have read, and the steps that add a token to each.

A row sees  [passages | t1 .. tk | question | answer]. The virtual tokens stand after the passages and before the
question, so neither depends on k: a prefix, passages and t1..tK with K the largest k asked for, is read once, and row k
hides the tokens beyond its k (k = 0 hides all of them: the plain prompt). Positions count the visible slots only, as in
a prompt of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import Cache

from spring.generation.arriving_ids import ArrivingIds
from spring.generation.attention import RowMasks
from spring.generation.forward import logits_of
from spring.generation.kv_cache import Prefix, keep_rows
from spring.generation.sampling import Sampler, is_sampled
from spring.generation.shared_prefix import Layers
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone


@dataclass(frozen=True, slots=True)
class RowInput:
    """What a row is made of: a prefix that was read, k, and the ids right of the seam."""

    prefix: Prefix
    virtual_tokens: int
    question: Sequence[int]


class Rows(ABC):
    """All rows of a batch. For the model's worker thread only.

    Args:
        backbone: the model.
        inputs: of each row; the prefixes hold at least the largest k of virtual tokens.
        options: the most tokens that follow, and how they are chosen.
        sampler: chooses them; None: one of its own.

    """

    cache: Cache
    masks: RowMasks
    needs_host = True  # a step begins when the host has seen the ids of the last, and may have dropped rows

    def __init__(
        self,
        backbone: Backbone,
        inputs: Sequence[RowInput],
        options: DecodingOptions,
        sampler: Sampler | None = None,
    ) -> None:
        self.backbone, self.inputs, self.options = backbone, inputs, options
        self.new_tokens = options.max_new_tokens
        self.sampler = sampler or Sampler(is_sampled(options), backbone.model.device)
        self.sampler.start(options)
        self.most_virtual = max(row.virtual_tokens for row in inputs)
        self.questions = max(len(row.question) for row in inputs)

    @abstractmethod
    def read_questions(self) -> Tensor:
        """Feed the questions; the logits (rows, vocabulary) of the first new tokens."""

    def begin(self) -> ArrivingIds:
        """Feed the questions, and choose the first new ids."""
        self._ids = self.sampler.choose(self.read_questions())
        return ArrivingIds(self._ids)

    def advance(self) -> ArrivingIds:
        """Feed the latest ids, and choose the next."""
        start = self.cache.get_seq_length()
        self._ids = self.sampler.choose(self._feed(self.backbone.embed(self._ids[:, None]), start, start + 1))
        return ArrivingIds(self._ids)

    def keep_rows(self, keep: Sequence[int]) -> list[int]:
        """Go on with some rows only; returns which of the old rows each new one is."""
        order = keep_rows(self.cache, keep)
        self.masks.keep_rows(order)
        self._ids = self._ids[order]
        return order

    def _feed(self, embeddings: Tensor, start: int, end: int, shared: Layers | None = None) -> Tensor:
        """Feed embeddings (rows, end - start, hidden) for the slots start..end."""
        positions, mask = self.masks.positions(start, end), self.masks.attention(start, end)
        return logits_of(self.backbone, embeddings, positions, mask, self.cache, shared=shared)[:, -1].float()
