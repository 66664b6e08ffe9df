"""JSON Lines files."""

import json
from pathlib import Path

from spring.data.loaders.registry import read_file
from spring.data.types import Page
from tests.support.files import error_of, only_page, write


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        '{"id": 0, "contents": "Luna 2\\nIt hit\u2028the Moon.\\ud800"}'.encode(),
        json.dumps({"title": "Luna 3", "text": "The far side. \ud83d"}).encode(),
        json.dumps({"text": "No title."}).encode(),
        b"",
        json.dumps({"contents": "One line"}).encode(),
    ]  # fmt: skip
    pages, warnings, _ = read_file(write(tmp_path / "a.jsonl", b"\r\n".join(rows)))
    assert pages == [
        Page("It hit the Moon.\ufffd", "Luna 2", "0"),
        Page("The far side. \ufffd", "Luna 3"),
        Page("No title."),
        Page("One line"),
    ]
    assert warnings == []


def test_json_lines_bad_rows(tmp_path: Path) -> None:
    bad = [
        "[" * 100_000 + "]" * 100_000,
        '{"text": ' + "9" * 5_000 + "}",
        "{oops",
        "[1]",
        '{"text": " "}',
        '{"text": 7}',
        "7",
    ]
    pages, warnings, _ = read_file(write(tmp_path / "a.jsonl", "\n".join([*bad, '{"text": "good"}'])))
    assert pages == [Page("good")]
    assert warnings == [
        "row 1 skipped (nested too deeply)",
        "rows 2 and 3 skipped (not valid JSON)",
        "rows 4 and 7 skipped (not an object)",
        'rows 5 and 6 skipped (no text in "contents" or "text")',
    ]
    assert error_of(write(tmp_path / "b.jsonl", "\n".join(["{oops"] * 20))).startswith(
        "no row has text (rows 1, 2, 3, 4, 5 and 15 more skipped (not valid JSON)); each must be"
    )


def test_a_title_as_long_as_a_paragraph_is_text(tmp_path: Path) -> None:
    title = "word " * 100
    page = only_page(write(tmp_path / "a.jsonl", json.dumps({"title": title, "text": "text"})))
    assert page == Page(f"{title.strip()}\ntext")
