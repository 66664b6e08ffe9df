"""The mean scores of an evaluation for each k and baseline, with bootstrap intervals of the gains over k = 0."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spring.evaluation.metrics import Scores
from spring.evaluation.runner import Row
from spring.generation.types import BaselineOrNone
from spring.rag.prompt import BASELINES

RESAMPLES = 2_000


class Interval(NamedTuple):
    """A bootstrap 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean scores of all answers with one k or baseline; shares are from 0 to 1."""

    virtual_tokens: int
    baseline: BaselineOrNone
    n: int
    exact_match: float
    f1: float
    contained: float
    first_line_exact_match: float
    seconds: float  # per question
    exact_match_gain: Interval | None  # over the plain answers to the same questions; None: there are none
    f1_gain: Interval | None

    @property
    def name(self) -> str:
        """k, or the baseline in words."""
        return str(self.virtual_tokens) if self.baseline in ("", "plain") else f"in words ({self.baseline})"


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """One summary for each k, in increasing order, then one for each baseline in words."""
    groups: dict[tuple[int, BaselineOrNone], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row.virtual_tokens, row.baseline), {})[row.id] = row
    plain = groups.get((0, "plain"))
    words = [baseline for baseline in BASELINES if baseline != "plain"]

    def place(group: tuple[int, BaselineOrNone]) -> tuple[int, int]:
        k, baseline = group
        return (words.index(baseline) + 1 if baseline in words else 0), k

    return [_summary(*group, groups[group], plain) for group in sorted(groups, key=place)]


def _summary(k: int, baseline: BaselineOrNone, rows: dict[str, Row], plain: dict[str, Row] | None) -> Summary:
    means = Scores(*(float(np.mean([row[i] for row in rows.values()])) for i in map(Row._fields.index, Scores._fields)))
    gains: list[Interval | None] = [None, None]
    if plain is not None and plain is not rows:
        both = [(row, plain[id]) for id, row in rows.items() if id in plain]
        gains = [bootstrap([getattr(a, m) - getattr(b, m) for a, b in both]) for m in ("exact_match", "f1")]
    seconds = float(np.mean([row.seconds for row in rows.values()]))
    return Summary(k, baseline, len(rows), *means, seconds, *gains)


def bootstrap(differences: Sequence[float], seed: int = 0) -> Interval | None:
    """The percentile interval of the mean of paired differences, 95 % (Efron 1979); None without any."""
    if not differences:
        return None
    values = np.asarray(differences)
    random = np.random.default_rng(seed)
    # One at a time: all at once would take gigabytes for a large set.
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(low), float(high))
