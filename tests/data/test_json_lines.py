"""JSON Lines files."""

import json
from pathlib import Path

import pytest

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
        'rows 5 and 6 skipped (no text in "contents", "text", "context" or "page_content")',
    ]
    assert error_of(write(tmp_path / "b.jsonl", "\n".join(["{oops"] * 20))).startswith(
        "no row has text (rows 1, 2, 3, 4, 5 and 15 more skipped (not valid JSON)); each must be"
    )


def test_a_title_as_long_as_a_paragraph_is_text(tmp_path: Path) -> None:
    title = "word " * 100
    page = only_page(write(tmp_path / "a.jsonl", json.dumps({"title": title, "text": "text"})))
    assert page == Page(f"{title.strip()}\ntext")


@pytest.mark.parametrize(
    "row",
    [
        {"title": "Lantern", "text": "It burns."},
        {"title": "Lantern", "context": "It burns."},
        {"title": "Lantern", "contents": "It burns."},
        {"metadata": {"title": "Lantern"}, "page_content": "It burns."},
        {"name": "Lantern", "text": None, "content": "It burns."},
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_names_of_the_text_in_lines_and_in_lists(tmp_path: Path, row: dict[str, object], name: str) -> None:
    for text in (json.dumps([row | {"_id": 7}], indent=1), json.dumps(row | {"_id": 7})):
        assert only_page(write(tmp_path / name, text)) == Page("It burns.", "Lantern", "7")
