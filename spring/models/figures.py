"""How virtual tokens did on questions that they were not learned from, as a token file's metadata keeps it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from spring.errors import TokenFileError

DETAIL = "figures"  # the name of the metadata
MOST = 100  # sets of questions, and rows of each


@dataclass(frozen=True, slots=True)
class Score:
    """The mean scores for one k or one baseline in words, each from 0 to 1."""

    virtual_tokens: int
    baseline: str  # "" or "plain" for a row of k
    exact_match: float
    f1: float

    def __post_init__(self) -> None:
        if self.virtual_tokens < 0 or not all(0 <= score <= 1 for score in (self.exact_match, self.f1)):
            raise ValueError("A score is from 0 to 1, of k from 0.")

    @property
    def name(self) -> str:
        """What was asked with: a k, or words."""
        return f"k = {self.virtual_tokens}" if self.baseline in ("", "plain") else f"in words ({self.baseline})"


@dataclass(frozen=True, slots=True)
class Figures:
    """The scores on one set of questions."""

    data: str  # what the set is, and whether it was learned from
    settings: str  # how it was asked: passages, length, precision
    questions: int
    scores: tuple[Score, ...]

    def error(self, score: Score) -> float:
        """The standard error of a row's exact match, which is 0 or 1 for each question."""
        return math.sqrt(score.exact_match * (1 - score.exact_match) / max(1, self.questions - 1))


def as_detail(figures: Sequence[Figures]) -> str:
    """The figures as one line of JSON."""
    return json.dumps([asdict(given) for given in figures], ensure_ascii=False)


def figures_of(details: Mapping[str, str]) -> tuple[Figures, ...]:
    """The figures in the metadata of a token file; none where it has none.

    Raises:
        TokenFileError: they cannot be read.

    """
    try:
        given = json.loads(details.get(DETAIL, "[]"))
        return tuple(
            Figures(
                str(one["data"]),
                str(one["settings"]),
                int(one["questions"]),
                tuple(
                    Score(int(s["virtual_tokens"]), str(s["baseline"]), float(s["exact_match"]), float(s["f1"]))
                    for s in one["scores"][:MOST]
                ),
            )
            for one in given[:MOST]
        )
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise TokenFileError("The figures in the metadata of the tokens cannot be read.") from error
