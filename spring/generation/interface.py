"""The interface of an engine: what generates answers, in this process, in another or on a server."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from spring.generation.types import GREEDY, Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft


class BackboneFacts(Protocol):
    """Facts about a backbone that need no weights."""

    @property
    def name(self) -> str:
        """Its name in the table, its hub id or its folder's name."""

    @property
    def precision(self) -> str:
        """Of its weights."""

    @property
    def precision_reason(self) -> str:
        """Why it is this one, in words."""

    @property
    def context_length(self) -> int:
        """The most tokens that it takes, new ones included."""


class TokenFacts(Protocol):
    """Facts about virtual tokens that need no values."""

    @property
    def learned(self) -> str:
        """How they were learned; empty: not at all."""

    @property
    def hidden(self) -> int:
        """Width of each."""

    def __len__(self) -> int: ...


class Engine(Protocol):
    """What generates: `generation.engine.LocalEngine`, `generation.subprocess.client.SubprocessEngine`, ..."""

    @property
    def backbone(self) -> BackboneFacts:
        """The frozen model."""

    @property
    def tokens(self) -> TokenFacts:
        """The virtual tokens."""

    @property
    def device(self) -> str:
        """Where the model is: "cpu", "cuda", ..."""

    @property
    def rows_at_once(self) -> int:
        """Answers that fill a batch, and for which there is memory."""

    @property
    def ready(self) -> bool:
        """Whether it can answer now; if not, `fit` and `stream` wait.

        Raises:
            SpringError: the model was lost, and loading it again has just failed.

        """

    def fit(self, draft: PromptDraft) -> int:
        """How many of the passages fit into the context; whole ones are dropped, the lowest rank first.

        Raises:
            PromptError: the question alone is too long, or cannot be laid out.

        """

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """Generate all answers at once, a snapshot after every step; to drop the iterator is to stop."""

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """Attribute generated answers to the passages, a snapshot after every step; to drop the iterator is to stop.

        Args:
            draft: the question, the passages that the model saw, and the answers asked for.
            ids: the generated ids of each answer, `Progress.ids`.

        Raises:
            PromptError: the answers do not belong to the draft, or do not fit into the context.

        """
