"""What a retriever is: question in, ranked passages out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spring.data.types import Passage

NOTHING_FITS = "Nothing fits: no passage shares a word with the question that says what it is about."


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    score: the retriever's, above 0; 0 for a passage that came with the question. rank: from 1, the best.
    terms: the words of the question that the passage contains, case and accents folded; none with score 0.
    """

    passage: Passage
    score: float
    rank: int
    terms: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.score < 0 or self.rank < 1 or (self.score > 0) != bool(self.terms):
            raise ValueError("A hit has a rank from 1, and a score above 0 with a term, or neither.")


class Retriever(Protocol):
    """Finds the passages for a question: BM25 in memory or on disk, or an implementation of your own."""

    def search(self, question: str, limit: int) -> Sequence[Hit]:
        """The at most `limit` passages that fit a question best, best first, ranks from 1; empty if none fits."""
        ...

    def fingerprint(self) -> str:
        """A digest of the passages and of the rules they are ranked by; equal for equal results."""
        ...
