"""Score generated answers again with all passages, without any, and without each one.

Nothing new is generated: the answers' ids are fed (teacher forcing).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias, TypeVar

from spring.errors import PromptError
from spring.generation.types import AnswerAttribution, Attribution, GenerationRequest, PromptDraft, check_ks
from spring.models.tokenization import Tokenization

T = TypeVar("T")
Steps: TypeAlias = Generator[Attribution, None, T]
"""Work that yields a snapshot after every step on the model, and returns a result."""


class Conditions(ABC):
    """The conditions under which a comparison's answers are scored; an engine scores them.

    Args:
        draft: question, passages and answers asked for.
        ids: the generated ids of each answer.
        n: how many virtual tokens there are.
        tokenization: prompts to ids.
        vocabulary: how many ids an answer may hold.
        context_length: most tokens that the model takes.

    Raises:
        PromptError: the answers do not belong to the draft, or do not fit into the context.

    """

    def __init__(
        self,
        draft: PromptDraft,
        ids: Sequence[Sequence[int]],
        n: int,
        tokenization: Tokenization,
        vocabulary: int,
        context_length: int,
    ) -> None:
        self._draft, self._tokenization = draft, tokenization
        check_ks((*draft.virtual_tokens, *(0 for _ in draft.baselines)), n)
        self._ids = [tuple(answer) for answer in ids]
        self._most_virtual = max(draft.virtual_tokens, default=0)
        self._requests = self._draft.requests(len(draft.passages))
        self._check(vocabulary, context_length)
        answers = (
            AnswerAttribution(
                request.virtual_tokens,
                request.baseline,
                token_texts(self._tokenization, answer),
                (None,) * len(draft.passages),
            )
            for request, answer in zip(self._requests, self._ids, strict=True)
        )
        self._attribution = Attribution(tuple(answers), steps=2 + len(draft.passages))

    def _check(self, vocabulary: int, context_length: int) -> None:
        """Refuse answers that are not the draft's, before anything is computed."""
        if len(self._ids) != len(self._requests):
            raise PromptError(f"There are {len(self._ids)} answers for {len(self._requests)} prompts.")
        if any(not 0 <= id < vocabulary for answer in self._ids for id in answer):
            raise PromptError("The answers hold ids that are not of this model.")
        plain = self._plain_request()
        inputs = [(plain.prompt, False, self._most_virtual)]
        inputs += [(request.prompt, request.chat, request.virtual_tokens) for request in self._requests]
        longest = max(self._tokenization.count(prompt, chat) + k for prompt, chat, k in inputs)
        needed = longest + max(map(len, self._ids))
        if needed > context_length:
            raise PromptError(
                f"Passages, question and answers need {needed} tokens, but {self._tokenization.name} takes "
                f"{context_length}: ask why of a shorter answer, or with fewer passages."
            )

    def _plain_request(self) -> GenerationRequest:
        """With all passages, no words and no virtual tokens."""
        passages = self._draft.passages
        return PromptDraft(self._draft.question, passages, (0,)).requests(len(passages))[0]

    def run(self) -> Iterator[Attribution]:
        """Yields a snapshot after every step on the model."""
        passages = len(self._draft.passages)
        scores = yield from self._score(self._all_conditions())
        own, with_tokens, without_tokens = ([of_answer[i] for of_answer in scores] for i in range(3))
        self._enter(
            lambda place, answer: replace(
                answer,
                own=_probabilities(own[place]),
                with_tokens=_probabilities(with_tokens[place]) if self._most_virtual else (),
                without_tokens=_probabilities(without_tokens[place]),
            )
        )
        yield self._attribution
        scores = yield from self._score([[request] for request in self._draft.requests(0)])
        alone = [of_answer[0] for of_answer in scores]
        self._enter(lambda place, answer: replace(answer, without_passages=_probabilities(alone[place])))
        yield self._attribution
        for left_out in range(1, passages + 1):
            requests = self._draft.requests(passages, left_out)
            scores = yield from self._score([[request] for request in requests])
            drops = [math.fsum(full) - math.fsum(less[0]) for full, less in zip(own, scores, strict=True)]
            self._enter(partial(_with_drop, left_out, drops))
            yield self._attribution

    def _enter(self, change: Callable[[int, AnswerAttribution], AnswerAttribution]) -> None:
        """Change every answer's attribution, and count a condition as done."""
        answers = tuple(change(place, answer) for place, answer in enumerate(self._attribution.answers))
        self._attribution = replace(self._attribution, answers=answers, done=self._attribution.done + 1)

    def _all_conditions(self) -> list[list[GenerationRequest]]:
        """For each answer: as it was asked, with the most virtual tokens, and with none; with all passages."""
        prompt = self._plain_request()
        with_tokens = replace(prompt, virtual_tokens=self._most_virtual, baseline="")
        return [[request, with_tokens, prompt] for request in self._requests]

    @abstractmethod
    def _score(self, conditions: Sequence[Sequence[GenerationRequest]]) -> Steps[list[list[list[float]]]]:
        """Score every answer under its conditions.

        Args:
            conditions: the requests for each answer.

        Returns:
            Log-probabilities, [answer][condition][token].

        """


def _probabilities(log_probabilities: Sequence[float]) -> tuple[float, ...]:
    return tuple(map(math.exp, log_probabilities))


def _with_drop(left_out: int, drops: Sequence[float], place: int, answer: AnswerAttribution) -> AnswerAttribution:
    """An answer's attribution with the drop for the passage of a number."""
    return replace(answer, drops=(*answer.drops[: left_out - 1], drops[place], *answer.drops[left_out:]))


def token_texts(tokenization: Tokenization, ids: Sequence[int]) -> tuple[str, ...]:
    """The text that each token adds to an answer; one that completes a character holds all of it."""
    texts, done = [], ""
    for end in range(1, len(ids) + 1):
        text = tokenization.decode_exactly(ids[:end])
        whole = text if end == len(ids) else text.rstrip("\N{REPLACEMENT CHARACTER}")
        texts.append(whole[len(done) :])
        done = whole if len(whole) > len(done) else done
    return tuple(texts)
