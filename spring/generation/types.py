"""Types of generation: requests, answers, and snapshots while they are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spring.data.types import Passage
from spring.errors import PromptError
from spring.rag.prompt import Baseline, Prompt, build_prompt

BaselineOrNone = Baseline | Literal[""]
"""The baseline of an answer without virtual tokens; "" for an answer with k > 0."""

_TITLES = {
    "plain": "without virtual tokens",
    "instruction": "in words (instruction)",
    "examples": "in words (worked examples)",
    "chat": "in words (chat template)",
}


def _checked_baseline(virtual_tokens: int, baseline: BaselineOrNone) -> BaselineOrNone:
    """The baseline of a request for k tokens: "plain" by default for k = 0, none for k > 0."""
    if virtual_tokens and baseline:
        raise PromptError(f"The baseline {baseline} has no virtual tokens, so k must be 0, not {virtual_tokens}.")
    return baseline or ("" if virtual_tokens else "plain")


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One answer to generate: a prompt, and k virtual tokens at its seam or the baseline that it stands for.

    Raises:
        PromptError: a baseline with k > 0.

    """

    prompt: Prompt
    virtual_tokens: int = 0
    baseline: BaselineOrNone = ""  # "" becomes "plain" for k = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "baseline", _checked_baseline(self.virtual_tokens, self.baseline))

    @property
    def chat(self) -> bool:
        """Whether the prompt goes into the tokenizer's chat template."""
        return self.baseline == "chat"

    @property
    def stop_at_newline(self) -> bool:
        """Whether the answer ends at its first line."""
        return self.baseline == "examples"


@dataclass(frozen=True, slots=True)
class Answer:
    """The text so far of one request, and its meter."""

    virtual_tokens: int
    baseline: BaselineOrNone = ""  # "" becomes "plain" for k = 0
    text: str = ""
    new_tokens: int = 0
    ended: Literal["", "stop", "length"] = ""  # "stop": by a token that ends it; "length": cut at the maximum
    first_token_seconds: float = 0.0  # since the request, reading the passages included
    seconds: float = 0.0  # since the request, to this answer's latest token
    ended_by: str = ""  # the token that ended it, for example "<|im_end|>" or "\n"; "" if it was cut

    def __post_init__(self) -> None:
        object.__setattr__(self, "baseline", _checked_baseline(self.virtual_tokens, self.baseline))

    @property
    def in_words(self) -> bool:
        """Whether words took the place of the virtual tokens."""
        return self.baseline not in ("", "plain")

    @property
    def instruction(self) -> bool:
        """Whether it was asked with the paper's instruction in words."""
        return self.baseline == "instruction"

    @property
    def title(self) -> str:
        """Name of the answer for people."""
        k = self.virtual_tokens
        return _TITLES.get(self.baseline) or f"with {k} virtual token{'s' if k > 1 else ''}"

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed after the first token; 0 while there are fewer than two tokens."""
        decoding = self.seconds - self.first_token_seconds
        return (self.new_tokens - 1) / decoding if self.new_tokens > 1 and decoding > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot while generating: the answers in the order of the requests."""

    answers: tuple[Answer, ...]
    ids: tuple[tuple[int, ...], ...] = ()  # generated so far, per answer
    prefix_tokens: int = 0  # tokens left of the seam, over all distinct prompts
    prefix_read: int = 0  # of these, read so far or found in the cache
    prefix_hits: int = 0  # prompts whose passages were found in the cache
    prefill_seconds: float = 0.0  # time spent on reading passages
    preparing: bool = False  # the passages are read, and a decode step is recorded for answers of this shape

    @property
    def done(self) -> bool:
        """Whether every answer has ended."""
        return all(answer.ended for answer in self.answers)


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How answers are generated.

    Raises:
        PromptError: an option is out of range.

    """

    max_new_tokens: int = 50  # where an answer is cut
    temperature: float = 0.0  # 0: greedy; else the logits are divided by it and sampled from
    seed: int = 0  # of the sampling
    ignore_eos: bool = False  # go on to `max_new_tokens` (for measuring)
    # Make the batch smaller when an answer ends. Faster for many rows; but below fp32 the others' rounding then
    # depends on when that is.
    drop_ended: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= 1024:
            raise PromptError(f"The answer's length must be 1 to 1024 tokens, not {self.max_new_tokens}.")
        if not 0 <= self.temperature <= 5:
            raise PromptError(f"The temperature must be 0 (greedy) to 5, not {self.temperature}.")
        if not -(2**63) <= self.seed < 2**64:
            raise PromptError(f"The seed must be a number of 64 bits, not {self.seed}.")


GREEDY = DecodingOptions()
"""The paper's: the likeliest token each time, at most 50 new ones."""


@dataclass(frozen=True, slots=True)
class PromptDraft:
    """A question and all passages that were found for it, before it is known how many of them fit."""

    question: str
    passages: tuple[Passage, ...]  # best first
    virtual_tokens: tuple[int, ...]  # an answer for each k, in this order
    baselines: tuple[Baseline, ...] = ()  # an answer for each, after those
    max_new_tokens: int = GREEDY.max_new_tokens

    def requests(self, kept: int, left_out: int = 0) -> tuple[GenerationRequest, ...]:
        """The request of each answer with the first `kept` passages, but for the one with the number `left_out`.

        Raises:
            PromptError: the question is empty.

        """
        passages = self.passages[:kept]
        plain = build_prompt(passages, self.question, left_out=left_out)
        words = ((baseline, build_prompt(passages, self.question, baseline, left_out)) for baseline in self.baselines)
        return (
            *(GenerationRequest(plain, k) for k in self.virtual_tokens),
            *(GenerationRequest(prompt, 0, baseline) for baseline, prompt in words),
        )


@dataclass(frozen=True, slots=True)
class AnswerAttribution:
    """How much one answer depends on each passage, and how likely its tokens are under other conditions.

    All values are of the answer's own ids, teacher-forced. They are empty, or None in `drops`, until computed.
    """

    virtual_tokens: int
    baseline: BaselineOrNone
    tokens: tuple[str, ...]  # text of each; joined they are the answer
    drops: tuple[float | None, ...]  # by passage: nats that the log-probability loses when it is left out
    own: tuple[float, ...] = ()  # probability of each token as it was asked: with its k, or with its baseline's words
    with_tokens: tuple[float, ...] = ()  # with the largest k of the comparison; empty without virtual tokens
    without_tokens: tuple[float, ...] = ()  # with k = 0, the plain prompt
    without_passages: tuple[float, ...] = ()  # as it was asked, without any passage

    @property
    def log_probability(self) -> float:
        """Natural logarithm of the probability of the whole answer, as it was asked."""
        return sum(math.log(max(probability, 1e-45)) for probability in self.own)


@dataclass(frozen=True, slots=True)
class Attribution:
    """A snapshot of the attribution of a comparison's answers to its passages."""

    answers: tuple[AnswerAttribution, ...]  # in the order of the comparison's
    steps: int  # conditions to be computed: with all passages, without any, without each
    done: int = 0  # of these


def check_ks(virtual_tokens: Sequence[int], n: int) -> None:
    """Check the k of the answers that are asked for.

    Args:
        virtual_tokens: k of each.
        n: how many virtual tokens there are.

    Raises:
        PromptError: no answer is asked for, or a k is out of range.

    """
    if not virtual_tokens:
        raise PromptError("Ask for at least one answer.")
    for k in virtual_tokens:
        if not 0 <= k <= n:
            raise PromptError(f"{k} virtual tokens are out of range: there are 0 to {n}.")
