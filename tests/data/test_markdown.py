"""Markdown files: what the marks mean, not the marks."""

from pathlib import Path

import pytest

from spring.data.loaders.markdown import load_markdown
from spring.data.loaders.registry import read_file
from spring.data.types import Heading, Page
from tests.support.files import write


def text_of(markdown: str) -> str:
    (page,) = load_markdown(markdown).pages
    return page.text


def test_markdown(tmp_path: Path) -> None:
    table = "| a | b |\n|---|--:|\n| 1 | **2** |\n"
    text = f"# The *lamp* #\nA wrapped\nparagraph.\n\n## Oil\nOf whales.\n- one\n- two\n\n{table}"
    content = read_file(write(tmp_path / "a.md", text))
    (page,) = content.pages
    assert content.title == "The lamp"
    assert page.text == "The lamp\nA wrapped paragraph.\nOil\nOf whales.\n- one\n- two\na | b\n1 | 2"
    assert page.headings == (Heading(0, 1, "The lamp"), Heading(page.text.index("Oil"), 2, "Oil"))


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("see [the drawing](https://a.example/x?y=1) and <https://b.example>", "see the drawing and https://b.example"),
        ("![a red bridge](bridge.png)", "a red bridge"),
        (
            "1. First *wash*\n2. Then __dry__\n   - gently\n\n     and slowly",
            "1. First wash\n2. Then dry\n- gently\nand slowly",
        ),
        ("> The mill grinds\n> all night.", "The mill grinds all night."),
        ("Press <kbd>Enter</kbd><br>once. <!-- not -->", "Press Enter\nonce."),
        ("<!-- to do\n\nask -->\n\nSalt &amp; oil in the `tank < 3`.", "Salt & oil in the tank < 3."),
        ("```python\ndef f(x):\n    return x\n```\n\n    f(1)\n      # 2", "def f(x):\n    return x\nf(1)\n  # 2"),
        ("<table><tr><td>a<td>b</table>\n\n<p hidden>gone</p>\n\nx", "a | b\nx"),
        ("10<sup>6</sup> crowns in 1932<sup>4</sup>", "10^6 crowns in 1932 [4]"),
        ("one\n\n---\n\n***\n\ntwo ~~gone~~", "one\ntwo gone"),
        ("[ref] and [this][ref]\n\n[ref]: https://a.example", "ref and this"),
        ("# C#\nText", "C#\nText"),
        ("> " * 300 + "deep", "deep"),
    ],
)
def test_marks(markdown: str, text: str) -> None:
    assert text_of(markdown) == text


@pytest.mark.parametrize(
    ("matter", "title"),
    [
        ("---\ntitle: The manual\ntags: [a]\n---\n", "The manual"),
        ('\n---\nTitle: "The: manual"\n...\n', "The: manual"),
        ("+++\ntitle = 'The manual'\n+++\n", "The manual"),
        ("---\nauthor: nobody\n---\n", "Setting up"),
        ("---\n---\n", "Setting up"),
    ],
)
def test_front_matter_is_left_out_and_may_hold_the_title(matter: str, title: str) -> None:
    content = load_markdown(f"{matter}\nSetting up\n==========\n\nTurn it.")
    assert content.title == title
    assert content.pages[0].text == "Setting up\nTurn it."


def test_rules_at_the_beginning_are_no_front_matter() -> None:
    assert text_of("---\n\nA text.\n\n---\n\nAnother.") == "A text.\nAnother."


def test_markdown_without_a_title() -> None:
    assert load_markdown("## Oil\n\n```\n# comment\n```\n").title == ""
    assert load_markdown("# Only a heading").pages == [
        Page("Only a heading", headings=(Heading(0, 1, "Only a heading"),))
    ]
