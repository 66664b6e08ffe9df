"""The mean scores of an evaluation for each k and baseline, and how sure the differences from a chosen row are.

Standard errors are those of a mean. Differences are paired by question: a bootstrap interval, and the exact sign test
of the questions that only one of the two answers right.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spring.errors import PromptError
from spring.evaluation.metrics import Scores
from spring.evaluation.runner import Row
from spring.generation.types import BaselineOrNone
from spring.rag.prompt import BASELINES

RESAMPLES = 2_000
_DRAWN_AT_ONCE = 1_000_000
Group: TypeAlias = tuple[int, BaselineOrNone]  # k, and the baseline or ""
PLAIN: Group = (0, "plain")


class Interval(NamedTuple):
    """A bootstrap 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The mean scores of all answers with one k or baseline; shares are from 0 to 1.

    Of several sets of questions (`macro_average`), the mean of the sets' means; n, gained and lost are sums.
    """

    virtual_tokens: int
    baseline: BaselineOrNone
    n: int
    exact_match: float
    f1: float
    contained: float
    first_line_exact_match: float
    seconds: float  # per question
    standard_errors: Scores
    passages_contain: float  # share of the questions whose passages contain a golden answer: finding
    exact_match_if_found: float | None  # of these questions: reading; None: there are none
    against: str  # the row that it is compared with
    exact_match_gain: Interval | None  # over that row's answers to the same questions; None: it is that row, or missing
    f1_gain: Interval | None
    gained: int  # questions that this row answers right and that one does not
    lost: int
    p: float | None  # of the exact two-sided sign test of gained against lost

    @property
    def group(self) -> Group:
        """K and baseline."""
        return self.virtual_tokens, self.baseline

    @property
    def name(self) -> str:
        """k, or the baseline in words."""
        return group_name(self.group)


def group_name(group: Group) -> str:
    """How tables name a row: k, or the baseline in words."""
    k, baseline = group
    return str(k) if baseline in ("", "plain") else f"in words ({baseline})"


def group_of(text: str) -> Group:
    """The row that a user names: k, or a baseline.

    Raises:
        PromptError: it is neither.

    """
    for baseline in BASELINES:
        if text == baseline:
            return 0, baseline
    if text.isdecimal():
        return (int(text), "") if int(text) else PLAIN
    raise PromptError(f"There is no row {text[:40]!r} to compare with: name a k, or one of {', '.join(BASELINES)}.")


def grouped(rows: Iterable[Row]) -> dict[Group, dict[str, Row]]:
    """The rows of each k, in increasing order, then of each baseline in words; by the question's id."""
    groups: dict[Group, dict[str, Row]] = {}
    for row in rows:
        groups.setdefault((row.virtual_tokens, row.baseline), {})[row.id] = row
    words = [baseline for baseline in BASELINES if baseline != "plain"]

    def place(group: Group) -> tuple[int, int]:
        k, baseline = group
        return (words.index(baseline) + 1 if baseline in words else 0), k

    return {group: groups[group] for group in sorted(groups, key=place)}


def summarize(rows: Iterable[Row], against: Group = PLAIN) -> list[Summary]:
    """One summary for each k, in increasing order, then one for each baseline in words.

    Args:
        rows: of one set of questions.
        against: the k and baseline that all others are compared with.

    """
    return _summaries([grouped(rows)], against)


def macro_average(sets: Mapping[str, Iterable[Row]], against: Group = PLAIN) -> list[Summary]:
    """The same over several sets of questions, each of which counts alike; of those rows that every set has."""
    return _summaries([grouped(rows) for rows in sets.values()], against)


def _summaries(sets: Sequence[dict[Group, dict[str, Row]]], against: Group) -> list[Summary]:
    shared = [group for group in (sets[0] if sets else ()) if all(group in groups for groups in sets)]
    return [_summary(group, sets, against) for group in shared]


def _summary(group: Group, sets: Sequence[dict[Group, dict[str, Row]]], against: Group) -> Summary:
    rows = [[*groups[group].values()] for groups in sets]
    pairs = [
        [(row, other[id]) for id, row in groups[group].items() if id in other]
        for groups in sets
        if group != against and (other := groups.get(against))
    ]
    pairs = [both for both in pairs if both]
    gains = [
        bootstrap(*([getattr(a, metric) - getattr(b, metric) for a, b in both] for both in pairs))
        for metric in ("exact_match", "f1")
    ]
    changes = [a.exact_match - b.exact_match for both in pairs for a, b in both]
    gained, lost = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    found = [mean for part in rows if (mean := _mean([r.exact_match for r in part if r.passages_contain])) is not None]
    return Summary(
        virtual_tokens=group[0],
        baseline=group[1],
        n=sum(map(len, rows)),
        exact_match=_over(rows, "exact_match"),
        f1=_over(rows, "f1"),
        contained=_over(rows, "contained"),
        first_line_exact_match=_over(rows, "first_line_exact_match"),
        seconds=_over(rows, "seconds"),
        standard_errors=Scores(*(_error(rows, metric) for metric in Scores._fields)),
        passages_contain=_over(rows, "passages_contain"),
        exact_match_if_found=_mean(found),
        against=group_name(against),
        exact_match_gain=gains[0],
        f1_gain=gains[1],
        gained=gained,
        lost=lost,
        p=sign_test(gained, lost) if changes else None,
    )


def _over(sets: Sequence[Sequence[Row]], metric: str) -> float:
    return float(np.mean([np.mean([getattr(row, metric) for row in rows]) for rows in sets]))


def _error(sets: Sequence[Sequence[Row]], metric: str) -> float:
    """The standard error of the mean of the sets' means; 0 where a set has one question alone."""
    values = [[getattr(row, metric) for row in rows] for rows in sets]
    variances = [np.var(part, ddof=1) / len(part) if len(part) > 1 else 0.0 for part in values]
    return sqrt(float(sum(variances))) / len(values)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def bootstrap(*samples: Sequence[float], seed: int = 0) -> Interval | None:
    """The percentile interval, 95 %, of the mean of the samples' means (Efron 1979); None without any.

    Args:
        samples: paired differences, of one or of several sets; each is resampled by itself.
        seed: of the resampling.

    """
    drawn = [np.asarray(sample, np.float64) for sample in samples if len(sample)]
    if not drawn:
        return None
    random = np.random.default_rng(seed)
    means = np.mean([_resampled_means(values, random) for values in drawn], axis=0)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(low), float(high))


def _resampled_means(values: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """The means of RESAMPLES samples, drawn in parts: all at once would take gigabytes for a large set."""
    n = len(values)
    at_once = max(1, _DRAWN_AT_ONCE // n)
    sizes = [min(at_once, RESAMPLES - done) for done in range(0, RESAMPLES, at_once)]
    return np.concatenate([values[random.integers(n, size=(size, n))].mean(axis=1) for size in sizes])


def sign_test(gained: int, lost: int) -> float:
    """The exact two-sided sign test (McNemar's, exact): the chance of so uneven a split if both sides were alike."""
    n, fewer = gained + lost, min(gained, lost)
    ways = term = 1  # of choosing up to `fewer` of n
    for i in range(fewer):
        term = term * (n - i) // (i + 1)
        ways += term
    return min(1.0, float(2 * ways / 2**n))
