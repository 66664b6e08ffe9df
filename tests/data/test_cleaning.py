"""Clean text: wrapped lines, control characters, hyphens."""

import pytest

from spring.data.cleaning import clean_text, join_hyphenated, one_line, table_row

LIST = "wrapped\n- item\n2. item\n(b) item\n# head\n| row\n* star"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("one\r\ntwo\rthree\n\n\n  four\tfive\u00a0six", "one two three\nfour five six"),
        (LIST, LIST),
        ("a\n-5 degrees\n2024 was", "a -5 degrees 2024 was"),
        ("page one\x0cpage two\u2029three", "page one\npage two\nthree"),
        ("soft\u00adhyphen\x00\x07\ufeff e\u0301", "softhyphen \u00e9"),
        ("东京是\n日本的首都。", "东京是日本的首都。"),
        ("a\ud83d\ude00b \ud800x\udc00", "a😀b \ufffdx\ufffd"),
    ],
)  # fmt: skip
def test_clean_text(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@pytest.mark.parametrize(
    ("raw", "joined"),
    [
        ("an exam-\nple", "an example"),
        ("an exam‐ \n ple", "an example"),
        ("the X-\nRay", "the X-\nRay"),
        ("Ab\u00ad\nC", "AbC"),
        ("a - \nb", "a - \nb"),
    ],
)
def test_hyphens_at_line_ends(raw: str, joined: str) -> None:
    assert join_hyphenated(raw) == joined


def test_rows_and_lines() -> None:
    assert one_line(" a\n b\t\u00a0c ") == "a b c"
    assert table_row(["Car", " ", "Weight\nin kg"]) == "Car | Weight in kg"
