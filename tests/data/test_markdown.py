"""Markdown files."""

from pathlib import Path

from spring.data.types import Page
from tests.support.files import only_page, write


def test_markdown(tmp_path: Path) -> None:
    table = "| a | b |\n|---|---|\n"
    text = f"# The *lamp* #\nA wrapped\nparagraph.\n\n## Oil\nOf whales.\n- one\n- two\n\n{table}"
    page = only_page(write(tmp_path / "a.md", text))
    assert page.title == "The *lamp*"
    assert page.text == "A wrapped paragraph.\n## Oil\nOf whales.\n- one\n- two\n| a | b |\n|---|---|"


def test_markdown_without_a_title(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.markdown", "## Oil\n\n```\n# comment\n```\n")).title == ""
    assert only_page(write(tmp_path / "b.md", "# Only a heading")) == Page("Only a heading")
    assert only_page(write(tmp_path / "c.md", "# On C#\nText")) == Page("Text", "On C#")
