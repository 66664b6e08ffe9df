"""The mean scores of an evaluation: one summary for each k, with bootstrap intervals of the gains over k = 0."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spring.evaluation.metrics import Scores
from spring.evaluation.runner import Row

RESAMPLES = 2_000


class Interval(NamedTuple):
    """A bootstrap 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What all answers with one k come to; shares are from 0 to 1."""

    virtual_tokens: int
    instruction: bool
    n: int
    exact_match: float
    f1: float
    contained: float
    seconds: float  # per question
    exact_match_gain: Interval | None  # over k = 0 on the same questions; None: k = 0 was not asked for
    f1_gain: Interval | None


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """One summary for each k, in increasing order, then the one told in words."""
    groups: dict[tuple[bool, int], dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row.instruction, row.virtual_tokens), {})[row.id] = row
    plain = groups.get((False, 0))
    return [_summary(*group, groups[group], plain) for group in sorted(groups)]


def _summary(instruction: bool, k: int, rows: dict[str, Row], plain: dict[str, Row] | None) -> Summary:
    means = Scores(*(float(np.mean([row[i] for row in rows.values()])) for i in map(Row._fields.index, Scores._fields)))
    gains: list[Interval | None] = [None, None]
    if plain is not None and plain is not rows:
        both = [(row, plain[id]) for id, row in rows.items() if id in plain]
        gains = [bootstrap([getattr(a, m) - getattr(b, m) for a, b in both]) for m in ("exact_match", "f1")]
    seconds = float(np.mean([row.seconds for row in rows.values()]))
    return Summary(k, instruction, len(rows), *means, seconds, *gains)


def bootstrap(differences: Sequence[float], seed: int = 0) -> Interval | None:
    """The percentile interval of the mean of paired differences, 95 % (Efron 1979); None without any."""
    if not differences:
        return None
    values = np.asarray(differences)
    random = np.random.default_rng(seed)
    # One after the other: all at once would take gigabytes for a large set.
    means = [values[random.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(low), float(high))
