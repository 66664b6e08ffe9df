"""Rows whose keys and values are copies of their prefixes: for any prefixes, devices and attention.

The slots of the cache are the same in every row:

    | padding | passages | t1 ......... tK | padding | question | answer ...
"""

import torch
from torch import Tensor
from transformers import Cache

from spring.generation.attention import RowMasks
from spring.generation.kv_cache import new_cache, stack_prefixes
from spring.generation.rows import Rows


class StackedRows(Rows):
    """See the module's docstring."""

    def read_questions(self) -> Tensor:
        """Copy the prefixes into the rows' cache and feed the questions, padded to the longest."""
        passages = max(len(row.prefix.ids) for row in self.inputs)
        question_start = passages + self.most_virtual
        length = question_start + self.questions
        # (rows, slots): which slots of the cache a row sees
        visible = torch.ones((len(self.inputs), length + self.new_tokens), dtype=torch.bool)
        input_ids = torch.zeros((len(self.inputs), self.questions), dtype=torch.long)
        for place, row in enumerate(self.inputs):
            visible[place, : passages - len(row.prefix.ids)] = False
            visible[place, passages + row.virtual_tokens : question_start] = False
            visible[place, question_start : length - len(row.question)] = False
            input_ids[place, self.questions - len(row.question) :] = torch.tensor(row.question)
        self.masks = RowMasks(self.backbone, visible.to(self.backbone.model.device))
        prefixes = [row.prefix for row in self.inputs]
        self.cache = self._empty_cache(length + self.new_tokens)
        stack_prefixes(self.cache, prefixes, self.most_virtual)
        return self._feed(self.backbone.embed(input_ids), question_start, length)

    def _empty_cache(self, slots: int) -> Cache:
        """A cache with room for all slots of the rows."""
        return new_cache(self.backbone.layers, slots)
