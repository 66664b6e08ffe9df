"""Means, intervals and gains of rows."""

import pytest

from spring.errors import PromptError
from spring.evaluation.differences import differences
from spring.evaluation.summary import (
    PLAIN,
    Interval,
    bootstrap,
    group_of,
    macro_average,
    sign_test,
    summarize,
)
from tests.conftest import one_line
from tests.support.evaluation import row


def test_the_summary_has_the_means_of_each_k() -> None:
    rows = [row(0, 0.0), row(0, 1.0, "b"), row(50, 1.0), row(50, 1.0, "b", f1=0.5), row(5, 0.5, "b", seconds=3.0)]
    plain, five, fifty = summarize(rows)
    assert [s.virtual_tokens for s in (plain, five, fifty)] == [0, 5, 50]
    assert (plain.n, plain.exact_match, plain.exact_match_gain) == (2, 0.5, None)
    assert (five.n, five.exact_match, five.seconds) == (1, 0.5, 3.0)
    assert five.exact_match_gain == Interval(-0.5, -0.5)  # against k = 0 on the same question
    assert (fifty.exact_match, fifty.f1, fifty.contained) == (1.0, 0.75, 1.0)
    assert fifty.exact_match_gain == Interval(0.0, 1.0)


def test_without_k_0_there_is_no_gain_to_tell() -> None:
    (summary,) = summarize([row(50, 1.0)])
    assert summary.exact_match_gain is summary.f1_gain is None


def test_of_two_rows_of_the_same_answer_the_later_counts() -> None:
    (summary,) = summarize([row(0, 0.0), row(0, 1.0)])
    assert (summary.n, summary.exact_match) == (1, 1.0)


def test_the_bootstrap_interval_is_that_of_the_mean() -> None:
    # 400 differences of mean 0.25, standard deviation 0.433: the mean's error is 0.0217.
    interval = bootstrap([1.0] * 100 + [0.0] * 300)
    assert interval is not None
    assert interval.low == pytest.approx(0.25 - 1.96 * 0.0217, abs=0.005)
    assert interval.high == pytest.approx(0.25 + 1.96 * 0.0217, abs=0.005)
    assert bootstrap([1.0] * 100 + [0.0] * 300) == interval
    assert bootstrap([]) is None


def test_of_several_samples_each_counts_alike() -> None:
    assert bootstrap([1.0] * 100, [0.0] * 10) == Interval(0.5, 0.5)
    interval = bootstrap([1.0] * 100 + [0.0] * 300, [1.0] * 100 + [0.0] * 300)
    assert interval is not None
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.0217 / 2**0.5, rel=0.1)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1),
        (3, 3, 1),
        (1, 0, 1),
        (5, 0, 2 / 32),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (21, 11, 0.110),  # docs/results.md
        (2_000, 1_900, 0.1129),  # scipy.stats.binomtest(1900, 3900).pvalue
    ],
)
def test_the_sign_test_is_exact(gained: int, lost: int, p: float) -> None:
    assert sign_test(gained, lost) == sign_test(lost, gained) == pytest.approx(p, abs=5e-4)


def test_standard_errors_and_what_the_passages_contain() -> None:
    rows = [row(5, match, str(i), passages_contain=float(i < 2)) for i, match in enumerate((1.0, 0.0, 0.0, 0.0))]
    (five,) = summarize(rows)
    assert five.standard_errors.exact_match == pytest.approx(0.25)  # standard deviation 0.5, divided by 2
    assert (five.passages_contain, five.exact_match_if_found) == (0.5, 0.5)
    (none,) = summarize([row(5)])
    assert (none.standard_errors.f1, none.exact_match_if_found) == (0, None)


def test_any_row_can_be_the_one_to_compare_with() -> None:
    rows = [row(0, 1.0), row(5, 0.0), row(5, 1.0, "b"), row(50, 1.0), row(50, 0.0, "b"), row(0, 1.0, baseline="chat")]
    plain, five, fifty, chat = summarize(rows, (5, ""))
    assert five.exact_match_gain is five.p is None
    assert (plain.gained, plain.lost, plain.p, plain.against) == (1, 0, 1.0, "5")
    assert (fifty.gained, fifty.lost, fifty.exact_match_gain) == (1, 1, Interval(-1.0, 1.0))
    assert [(d.name, d.kind, d.after.id) for d in differences(rows, (5, ""))] == [
        ("0", "gained", "a"),
        ("50", "gained", "a"),
        ("50", "lost", "b"),
        ("in words (chat)", "gained", "a"),
    ]
    assert chat.lost == 0
    assert summarize(rows, (7, ""))[0].exact_match_gain is None
    assert differences(rows, (7, "")) == []


def test_the_name_of_a_row() -> None:
    assert [group_of(name) for name in ("0", "50", "plain", "chat")] == [PLAIN, (50, ""), PLAIN, (0, "chat")]
    with pytest.raises(PromptError, match="no row 'best' to compare with") as error:
        group_of("best")
    one_line(error)


def test_in_the_macro_average_each_set_counts_alike() -> None:
    small = [row(0, 0.0), row(5, 1.0)]
    large = [row(k, 0.0, str(i)) for i in range(4) for k in (0, 5)] + [row(9, 1.0)]
    plain, five = macro_average({"small": small, "large": large})  # k = 9 was not asked of both
    assert (plain.n, plain.exact_match, plain.exact_match_gain) == (5, 0.0, None)
    assert (five.exact_match, five.exact_match_gain, five.gained) == (0.5, Interval(0.5, 0.5), 1)
    assert macro_average({"small": small}) == summarize(small)
    assert macro_average({}) == []
