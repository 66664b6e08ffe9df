"""The history's tab and its three files: what a stranger wrote is text in all of them."""

import csv
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
from markdown_it import MarkdownIt

from spring.data.types import Passage
from spring.generation.types import Answer
from spring.web import export
from spring.web.tabs.history import CHOOSE, NONE_YET, HistoryTab
from spring.web.visitors.history import History, Kept
from tests.conftest import PASSAGES
from tests.web.test_history import comparison

ME, YOU = SimpleNamespace(session_hash="me"), SimpleNamespace(session_hash="you")
HOSTILE = [
    "<img src=x onerror=alert(1)> ${1+1}",
    "# A heading",
    "- a list\n+ another\n* a third\n1. a fourth\n2) a fifth",
    "Title\n===\nOther\n---",
    "    code\n\tcode",
    "```\ncode\n```",
    "> quoted",
    "[a](javascript:alert(1)) ![b](http://x.example/y.png) <http://x.example>",
    "*a* _b_ **c** ~~d~~ `e` | f | g |\n|---|---|",
    "http://x.example www.x.example me@x.example",
    "a&lt;b&#60;",
    "\\*a\\* \\",
    "[1]: http://x.example",
]


def kept(question: str, text: str, passage: str = "text", name: str = "a.txt", golden=()) -> Kept:
    asked = comparison(question, (Passage(name, 1, 0, passage),))
    answers = tuple(replace(answer, text=text) for answer in asked.answers)
    return Kept(1, replace(asked, progress=replace(asked.progress, answers=answers)), tuple(golden), False, 0)


@pytest.mark.parametrize("text", HOSTILE)
def test_in_markdown_a_text_stays_text(text: str) -> None:
    written = export.as_markdown([kept(text, text, text, golden=[f"lamp {text}"])])
    assert not re.search(r"(?<!\\)://|www\.|\w@", written)  # which many sites make a link
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
    kinds = {token.type for token in tokens}
    assert kinds <= {
        f"{kind}_{end}" for kind in ("heading", "paragraph", "blockquote") for end in ("open", "close")
    } | {"inline"}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2"]
    inline = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inline} <= {
        "text", "text_special", "hardbreak", "softbreak", "strong_open", "strong_close"
    }  # fmt: skip
    heading = next(token for before, token in pairwise(tokens) if before.type == "heading_open")
    assert "".join(child.content for child in heading.children) == " ".join(text.split())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_in_csv_no_cell_is_a_formula(text: str) -> None:
    rows = list(csv.DictReader(io.StringIO(export.as_csv([kept(text, text, name=text, golden=[text])]), newline="")))
    assert len(rows) == 2
    for row in rows:
        assert row["question"] == row["text"] == f"'{text}"
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert rows[0]["exact_match"] in ("yes", "no")


def test_unpaired_surrogates_reach_no_file(llama_engine) -> None:
    history = [kept("a\ud800b", "c\udfff", "d\ud800", "e\ud800.txt", ["f\ud800"])]
    for written in (export.as_markdown(history), export.as_csv(history), export.as_json(history, llama_engine)):
        assert "\N{REPLACEMENT CHARACTER}" in written
        written.encode()
    [row] = json.loads(export.as_json(history, llama_engine))
    assert row["answers"][1]["virtual_tokens"] == 5
    assert row["passages"][0]["rank"] == 1


def test_an_answer_without_words_is_said_and_scored() -> None:
    written = export.as_markdown([kept("Who?", "", golden=["Ulla"])])
    assert "**Without virtual tokens** (exact match no, F1 0.00)\n\n> (no words)" in written


# --- the tab ---


@pytest.fixture
def tab(llama_engine) -> HistoryTab:
    return HistoryTab(SimpleNamespace(history=History(), engine=llama_engine))


def test_a_comparison_is_shown_again_as_it_was(tab) -> None:
    history, opened = tab.shared.history, SimpleNamespace(value="History")
    assert tab.open(ME, opened, None)["line"] == NONE_YET
    first = history.keep("me", comparison("First <b>?"), ["at nine"])
    second = history.keep("me", comparison("Second?"))
    assert tab.open(ME, SimpleNamespace(value="Sweep"), None) == {}
    listed = tab.open(ME, opened, None)
    assert [number for _, number in listed["entries"]["choices"]] == [second, first]
    assert listed["line"] == CHOOSE
    shown = tab.show(ME, first)
    assert "First &lt;b&gt;?" in shown["answers"]
    assert "exact match yes" in shown["answers"]
    assert PASSAGES[1].text[:20] in shown["passages"]
    assert shown["markdown"].startswith("## First \\<b\\>?")
    assert tab.open(ME, opened, first)["entries"]["value"] == first
    assert "answers" not in tab.open(ME, opened, first)  # it stays


def test_nobody_sees_the_history_of_another(tab) -> None:
    number = tab.shared.history.keep("me", comparison("Secret?"))
    for chosen in (number, None, -1, "1", [number], 1e300, float("nan")):
        assert tab.show(YOU, chosen)["answers"] == ""
    for made in (tab.export_markdown, tab.export_csv, tab.export_json):
        assert "Secret" in made(ME)["file"]["text"]
        assert "Secret" not in made(YOU)["file"]["text"]
    tab.clear(YOU)
    assert tab.shared.history.find("me", number)
    assert tab.clear(ME)["answers"] == ""
    assert tab.shared.history.of("me") == ()


def test_what_quotes_removed_documents_is_no_longer_shown(tab) -> None:
    own = tab.shared.history.keep("me", comparison("Of mine?"), is_own=True)
    sample = tab.shared.history.keep("me", comparison("Of a sample?"))
    removed = tab.removed(ME, own)
    assert [number for _, number in removed["entries"]["choices"]] == [sample]
    assert removed["answers"] == removed["passages"] == removed["markdown"] == ""
    assert "Of mine?" not in tab.export_json(ME)["file"]["text"]


def test_titles_of_answers_are_the_same_as_on_the_page() -> None:
    answers = (Answer(0, text="a", ended="stop"), Answer(50, text="b", ended="stop"))
    asked = comparison()
    written = export.as_markdown(
        [Kept(1, replace(asked, progress=replace(asked.progress, answers=answers)), (), False, 0)]
    )
    assert "**With 50 virtual tokens**" in written
