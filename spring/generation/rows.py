"""The rows of a batch: what they have read, and the steps that add a token to each.

A row sees  [passages | t1 .. tk | question | answer]. The virtual tokens stand after the passages and before the
question, so neither depends on k: a prefix, passages and t1..tK with K the largest k asked for, is read once, and row k
hides the tokens beyond its k (k = 0 hides all of them: the plain prompt). Positions count the visible slots only, as in
a prompt of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import Cache

from spring.generation.attention import RowMasks
from spring.generation.kv_cache import Prefix, keep_rows
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
        new_tokens: the most that follow.

    """

    cache: Cache
    masks: RowMasks

    def __init__(self, backbone: Backbone, inputs: Sequence[RowInput], new_tokens: int) -> None:
        self.backbone, self.inputs, self.new_tokens = backbone, inputs, new_tokens
        self.most_virtual = max(row.virtual_tokens for row in inputs)
        self.questions = max(len(row.question) for row in inputs)

    @abstractmethod
    def read_questions(self) -> Tensor:
        """Feed the questions; the logits (rows, vocabulary) of the first new tokens."""

    def decode(self, ids: Tensor) -> Tensor:
        """Feed one id a row; the logits (rows, vocabulary) of the next."""
        start = self.cache.get_seq_length()
        return self._feed(self.backbone.embed(ids[:, None]), start, start + 1)

    def keep_rows(self, keep: Sequence[int]) -> list[int]:
        """Go on with some rows only; returns which of the old rows each new one is."""
        order = keep_rows(self.cache, keep)
        self.masks.keep_rows(order)
        return order

    def _feed(self, embeddings: Tensor, start: int, end: int, **more: Any) -> Tensor:
        """Feed embeddings (rows, end - start, hidden) for the slots start..end."""
        output = self.backbone.model(
            inputs_embeds=embeddings,
            attention_mask=self.masks.attention(start, end),
            position_ids=self.masks.positions(start, end),
            **{self.backbone.cache_keyword: self.cache},
            logits_to_keep=1,
            **more,
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits
