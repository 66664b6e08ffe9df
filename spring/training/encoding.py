"""Encode the prompts and answers of samples, each once."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from spring.data.types import Passage
from spring.errors import PromptError
from spring.models.backbone import Backbone
from spring.rag.prompt import build_prompt

MOST_KEPT_IDS = 2**24  # 64 MiB
Ids: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Prompt:
    """The ids of a prompt on either side of the seam, and of the answers that it was encoded with."""

    before: "array[int]"
    after: "array[int]"
    answers: "dict[str, array[int]]" = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """How many ids these are."""
        return len(self.before) + len(self.after) + sum(map(len, self.answers.values()))


class SampleEncoder:
    """Encodes prompts with answers, and keeps the newest.

    All k of a sample have one prompt and often one answer, and later epochs draw many of them again: all, where the
    passages are drawn a limited number of times.

    Args:
        backbone: its tokenizer encodes, and its context limits the length.
        virtual_tokens: n, for which there must be room.
        most_kept: ids of prompts and answers.

    """

    def __init__(self, backbone: Backbone, virtual_tokens: int, most_kept: int = MOST_KEPT_IDS) -> None:
        self.backbone, self.virtual_tokens, self.most_kept = backbone, virtual_tokens, most_kept
        self.kept = 0  # ids
        self._prompts: dict[tuple[str, tuple[Passage, ...]], _Prompt] = {}  # the oldest first

    def encode(self, passages: Sequence[Passage], question: str, answer: str) -> tuple[Ids, Ids, Ids]:
        """Ids left of the seam, right of it, and of the answer; the last passages are left out if not all fit.

        Raises:
            PromptError: the question is too long even without passages.

        """
        for number in range(len(passages), -1, -1):
            ids = self._encode(tuple(passages[:number]), question, answer)
            if sum(map(len, ids)) + self.virtual_tokens <= self.backbone.context_length:
                before, after, answer_ids = map(tuple, ids)
                return before, after, answer_ids
        raise PromptError(f"The question {question[:80]!r} is too long for {self.backbone.name}.")

    def _encode(
        self, passages: tuple[Passage, ...], question: str, answer: str
    ) -> "tuple[array[int], array[int], array[int]]":
        prompt = self._prompts.get((question, passages))
        if prompt is None:
            before, after = self.backbone.tokenization.encode(build_prompt(passages, question))
            prompt = self._prompts[question, passages] = _Prompt(array("i", before), array("i", after))
            self.kept += prompt.kept
        if (ids := prompt.answers.get(answer)) is None:
            encoded = [*prompt.before, *prompt.after]
            ids = array("i", self.backbone.answer_ids(build_prompt(passages, question), encoded, answer))
            prompt.answers[answer] = ids
            self.kept += len(ids)
        while self.kept > self.most_kept and len(self._prompts) > 1:
            self.kept -= self._prompts.pop(next(iter(self._prompts))).kept
        return prompt.before, prompt.after, ids
