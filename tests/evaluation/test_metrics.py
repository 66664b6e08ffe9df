"""Hand-worked cases of SQuAD's exact match and token F1, and of `contained`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spring.data.answers import normalize
from spring.evaluation.metrics import contained, exact_match, score, token_f1


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The Orlo Station", "orlo station"),
        ("an apple, a day", "apple day"),
        ("Theatre and anaconda", "theatre and anaconda"),  # articles are whole words
        ("U.S.A.", "usa"),
        ("it's - well -", "its well"),
        ("  two \n lines\t", "two lines"),
        ("the a an", ""),
        ("Ünïcode “quotes”", "ünïcode “quotes”"),  # SQuAD's punctuation is ASCII alone
        ("ﬁsh of Ｏｒｌｏ．", "fish of orlo"),  # a ligature, full-width letters
        ("Zu\u0308rich", "zürich"),  # the letter and its accent apart
    ],
)
def test_normalization(text: str, normalized: str) -> None:
    assert normalize(text) == normalized


@pytest.mark.parametrize(
    ("answer", "golden", "expected"),
    [
        ("The northern pier.", "northern pier", 1),
        ("NORTHERN PIER", "northern pier", 1),
        ("northern  pier", "northern pier", 1),
        ("the northern pier at nine", "northern pier", 0),
        ("", "northern pier", 0),
        ("", "the", 0),
        ("?", "!", 0),
    ],
)
def test_exact_match(answer: str, golden: str, expected: float) -> None:
    assert exact_match(answer, golden) == expected


@pytest.mark.parametrize(
    ("answer", "golden", "expected"),
    [
        ("northern pier", "the northern pier", 1),
        ("at the northern pier", "northern pier", 0.8),  # precision 2/3, recall 1
        ("pier", "northern pier", 2 / 3),  # precision 1, recall 1/2
        ("nine", "northern pier", 0),
        ("yes yes yes", "yes", 0.5),  # one of three is shared
        ("yes yes", "yes yes no", 0.8),  # precision 1, recall 2/3
        ("pier northern", "northern pier", 1),  # the order does not count
        ("塔高330米", "330米", 2 / 3),  # each character is a word: precision 1/2, recall 1
        ("", "northern pier", 0),
        ("the", "northern pier", 0),
    ],
)
def test_token_f1(answer: str, golden: str, expected: float) -> None:
    assert token_f1(answer, golden) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "golden", "expected"),
    [
        ("It leaves the Northern Pier at nine.", "the northern pier", 1),
        ("nine", "nine", 1),
        ("nineteen", "nine", 0),  # only whole words
        ("northern old pier", "northern pier", 0),  # side by side
        ("pier northern", "northern pier", 0),  # in their order
        ("这座塔高330米，建于1931年。", "330米", 1),
        ("这座塔高330米。", "30米", 0),
        ("", "nine", 0),
        ("", "the", 0),
    ],
)
def test_contained(answer: str, golden: str, expected: float) -> None:
    assert contained(answer, golden) == expected


def test_a_score_is_the_best_over_the_golden_answers() -> None:
    assert score("nine o'clock", ["ten", "nine", "at nine oclock"]) == (0, pytest.approx(0.8), 1, 0)


def test_each_figure_has_its_own_best_golden_answer() -> None:
    scores = score("wool and salt", ["wool and salt and letters", "salt"])
    assert scores == (0, pytest.approx(0.75), 1, 0)


def test_golden_answers_without_a_word_do_not_count() -> None:
    assert score("nine", ["", "  ", "nine", "The"]) == (1, 1, 1, 1)
    assert score("", ["A", "nine"]) == (0, 0, 0, 0)  # of "A" nothing is left, as of the empty answer


@given(st.text("a the, .ﬁ\n", max_size=12), st.lists(st.text("a the, .ﬁ\n", max_size=8), min_size=1, max_size=3))
def test_an_exact_match_is_never_above_the_others(answer: str, golden: list[str]) -> None:
    golden.append("x")
    scores = score(answer, golden)
    assert scores.exact_match <= min(scores.f1, scores.contained)
    assert all(exact_match(answer, text) <= min(token_f1(answer, text), contained(answer, text)) for text in golden)


@pytest.mark.parametrize("golden", [[], [""], [" ", "\n"], ["the", "?"]])
def test_without_a_golden_answer_there_is_no_score(golden: list[str]) -> None:
    with pytest.raises(ValueError, match="golden answer"):
        score("nine", golden)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Nine.\nQuestion: and when", 1),
        ("\n \n the nine\nten", 1),
        ("ten\nnine", 0),
        ("nine o'clock", 0),
        ("", 0),
    ],
)
def test_a_right_first_line_counts_whatever_follows(answer: str, right: int) -> None:
    assert score(answer, ["nine"]).first_line_exact_match == right
