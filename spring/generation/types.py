"""What is asked of the model and what comes of it: requests, answers, and snapshots while they are written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from spring.errors import PromptError
from spring.rag.prompt import Prompt


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One answer to generate: a prompt and how many virtual tokens go in at its seam."""

    prompt: Prompt
    virtual_tokens: int = 0
    instruction: bool = False  # the prompt tells in words what the tokens are meant to do


@dataclass(frozen=True, slots=True)
class Answer:
    """The text so far of one request, and its meter."""

    virtual_tokens: int
    instruction: bool
    text: str = ""
    new_tokens: int = 0
    ended: Literal["", "stop", "length"] = ""  # "stop": the model ended it; "length": cut at the maximum
    first_token_seconds: float = 0.0  # from the asking, reading the passages included
    seconds: float = 0.0  # from the asking to this answer's latest token

    @property
    def title(self) -> str:
        """What the answer is called."""
        if self.instruction:
            return "told in words"
        k = self.virtual_tokens
        return f"with {k} virtual token{'s' if k > 1 else ''}" if k else "without virtual tokens"

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

    @property
    def done(self) -> bool:
        """Whether every answer has ended."""
        return all(answer.ended for answer in self.answers)


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How answers are generated.

    Raises:
        PromptError: a setting is out of range.

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
"""The paper's: the likeliest token each time, 50 new ones at most."""


class BackboneFacts(Protocol):
    """What there is to say of a backbone."""

    @property
    def name(self) -> str:
        """Its name in the table, its hub id or its path."""

    @property
    def precision(self) -> str:
        """Of its weights."""

    @property
    def context_length(self) -> int:
        """The most tokens that it takes, new ones included."""


class TokenFacts(Protocol):
    """What there is to say of virtual tokens."""

    @property
    def learned(self) -> str:
        """How they were learned; empty: not at all."""

    @property
    def hidden(self) -> int:
        """Width of each."""

    def __len__(self) -> int: ...


class Engine(Protocol):
    """What answers: `generation.LocalEngine`, or one in a process of its own, `model_process.SubprocessEngine`."""

    @property
    def backbone(self) -> BackboneFacts:
        """The frozen model."""

    @property
    def tokens(self) -> TokenFacts:
        """What can be put in at the seam."""

    @property
    def device(self) -> str:
        """Where the model is: "cpu", "cuda", ..."""

    @property
    def rows_at_once(self) -> int:
        """Answers that fill a batch, and for which there is memory."""

    @property
    def ready(self) -> bool:
        """Whether it can answer now; if not, `length` and `stream` wait.

        Raises:
            SpringError: the model was lost, and loading it again has just failed.

        """

    def length(self, request: GenerationRequest) -> int:
        """Input tokens of a request, virtual ones included."""

    def stream(self, requests: Sequence[GenerationRequest], settings: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """Generate all answers at once, a snapshot after every step; to drop the iterator is to stop."""


def check_ks(virtual_tokens: Sequence[int], n: int) -> None:
    """Refuse what cannot be asked of n virtual tokens: no answer at all, or a k out of range.

    Raises:
        PromptError: which, and what its range is.

    """
    if not virtual_tokens:
        raise PromptError("Ask for at least one answer.")
    for k in virtual_tokens:
        if not 0 <= k <= n:
            raise PromptError(f"{k} virtual tokens are out of range: there are 0 to {n}.")
