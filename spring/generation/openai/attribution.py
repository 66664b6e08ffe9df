"""Score answers under all conditions on a server that tells the log-probabilities of a prompt (vLLM does)."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from spring.errors import ModelError
from spring.generation.conditions import Conditions, Steps
from spring.generation.openai.events import NONSENSE
from spring.generation.openai.streams import Streams
from spring.generation.types import GenerationRequest, PromptDraft

if TYPE_CHECKING:
    from spring.generation.openai.engine import OpenAiEngine

AT_ONCE = 8  # prompts whose log-probabilities are computed together
NOT_TOLD = "This model's server does not tell how likely a prompt is, so explaining an answer needs the local engine."


class ServedLeaveOneOut(Conditions):
    """The state of one call of `OpenAiEngine.attribute`.

    Args:
        engine: asks the server.
        draft: question, passages and answers asked for.
        ids: the generated ids of each answer.

    Raises:
        PromptError: the answers do not belong to the draft, or do not fit into the context.

    """

    def __init__(self, engine: "OpenAiEngine", draft: PromptDraft, ids: Sequence[Sequence[int]]) -> None:
        self._engine = engine
        vocabulary = min(engine.exported.manifest.virtual_token_ids)
        longest = engine.backbone.context_length - 1  # the server insists on a new token
        super().__init__(draft, ids, len(engine.tokens), engine.tokenization, vocabulary, longest)

    def _score(self, conditions: Sequence[Sequence[GenerationRequest]]) -> Steps[list[list[list[float]]]]:
        """Score every answer under its conditions; equal ones are asked for once."""
        keys = [
            [(tuple(self._engine.ids_of(request)), ids) for request in requests]
            for ids, requests in zip(self._ids, conditions, strict=True)
        ]
        wanted = list(dict.fromkeys(key for row in keys for key in row if key[1]))
        turns = asyncio.Semaphore(AT_ONCE)
        scores: dict[tuple[tuple[int, ...], tuple[int, ...]], list[float]] = {}
        with Streams(self._engine.loop, [self._scored(*key, turns) for key in wanted]) as streams:
            for pieces in streams.pieces():
                scores |= {wanted[place]: found for place, found in pieces}
                yield self._attribution
        return [[scores.get(key, []) for key in row] for row in keys]

    async def _scored(
        self, prompt: tuple[int, ...], answer: tuple[int, ...], turns: asyncio.Semaphore
    ) -> AsyncIterator[list[float]]:
        """The log-probability of each token of an answer after a prompt."""
        body = {
            "model": self._engine.model,
            "prompt": [*prompt, *answer],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 0,  # of the prompt's own ids alone; vLLM's
        }
        async with turns:
            async for choice in self._engine.asked(self._once(body)):
                yield log_probabilities(choice.get("prompt_logprobs"), answer)

    async def _once(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        yield await self._engine.server.complete(body)


def log_probabilities(told: object, answer: Sequence[int]) -> list[float]:
    """Those of an answer's ids, which are the last ones of a prompt.

    Args:
        told: for each place of the prompt an object from ids to their log-probability.
        answer: its ids.

    Raises:
        ModelError: the server does not tell them.

    """
    if told is None:
        raise ModelError(NOT_TOLD)
    try:
        places = told[-len(answer) :]  # type: ignore[index]
        found = [float(place[str(id)]["logprob"]) for place, id in zip(places, answer, strict=True)]
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise ModelError(NONSENSE) from error
    if any(math.isnan(value) or value > 1e-3 for value in found):
        raise ModelError(NONSENSE)
    return [min(value, 0.0) for value in found]
