"""The report: one page that shows everything, runs nothing, and needs nothing else."""

import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from spring.data.questions import Question
from spring.data.types import Passage
from spring.errors import DocumentError, PromptError
from spring.evaluation import report as module
from spring.evaluation.report import ReportedSet, curve, report, require_report
from spring.evaluation.summary import summarize
from tests.conftest import one_line
from tests.support.evaluation import row

HOSTILE = '<img src=x onerror="alert(1)">{{ 7 * 7 }}</script>&amp;'
ASKED = Question("a", HOSTILE, (HOSTILE, "nine"))
ROWS = [
    row(k, match, id, question=ASKED.question, golden_answers=ASKED.golden_answers, answer=f"{HOSTILE}{k}{id}")
    for id, matches in (("a", (0.0, 1.0)), ("b", (1.0, 0.0)), ("c", (1.0, 1.0)))
    for k, match in zip((0, 5), matches, strict=True)
]
QUESTIONS = [ASKED, Question("b", HOSTILE, ("nine",)), Question("c", "Same?", ("nine",))]
PASSAGES = [Passage(HOSTILE, 1, 0, f"It is nine. {HOSTILE}", title=HOSTILE), Passage("x", 1, 0, "Ten.")]
GIVEN = ReportedSet(ROWS, QUESTIONS, lambda question: PASSAGES if question.id == "a" else [])


class Page(HTMLParser):
    """Collect tags, attributes, and the text outside of styles and curves."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style":
            self.text += data


@pytest.fixture(scope="module")
def html() -> str:
    return report(HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: GIVEN, "other": GIVEN})


def test_what_comes_from_files_and_the_model_is_text(html: str) -> None:
    page = Page(html)
    assert not {"img", "script", "iframe", "link", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(HOSTILE) > 15
    assert "49" not in page.text.replace("{{ 7 * 7 }}", "")


def test_it_needs_nothing_from_elsewhere(html: str) -> None:
    links = [value or "" for name, value in Page(html).attributes if name in ("src", "href", "xlink:href")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "default-src 'none'" in html
    assert "url(http" not in html
    assert "@import" not in html


def test_it_has_each_set_and_their_average_with_curve_and_table(html: str) -> None:
    page = Page(html)
    assert page.tags.count("svg") == page.tags.count("section") == 3
    assert module.MACRO in page.text
    assert page.tags.count("table") == 3 + 2 * 2  # and what was gained and lost in each set
    assert "p = 1" in page.text


def test_gains_and_losses_lead_to_their_passages(html: str) -> None:
    page = Page(html)
    assert page.text.count("k = 5: 1 gained") == page.text.count("k = 5: 1 lost") == 2
    targets = [value for name, value in page.attributes if name == "id" and str(value).startswith("set")]
    assert targets == ["set1-1", "set1-2", "set2-1", "set2-2"]  # the third question has no difference
    assert {f"#{target}" for target in targets} <= {value for name, value in page.attributes if name == "href"}
    assert page.text.count("contains an answer") == page.text.count("No passage was found.") == 2


def test_a_long_list_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHANGES", 2)
    asked = [Question(str(i), "Who?", ("nine",)) for i in range(5)]
    rows = [row(k, float(k > 0), q.id, question="Who?") for q in asked for k in (0, 5)]
    page = Page(report("t", {}, {"s": ReportedSet(rows, asked, lambda question: [])}))
    assert "k = 5: 5 gained" in page.text
    assert "And 3 more, which this page does not show." in page.text
    assert page.text.count("No passage was found.") == 2


def test_the_curve_takes_the_colour_of_the_page_s_text_and_shows_the_best_words() -> None:
    rows = [
        *ROWS,
        *(row(0, 1.0, id, baseline=words) for words in ("chat", "examples") for id in "ab"[: len(words) - 3]),
    ]
    svg = curve(summarize(rows))
    assert svg.startswith('<svg role="img"')
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "exact match, in words" in svg
    assert svg == curve(summarize(rows))
    assert "in words" not in curve(summarize(ROWS))


def test_what_prevents_a_report_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_report(tmp_path / "r.html")
    with pytest.raises(DocumentError, match="cannot be written") as error:
        require_report(tmp_path / "none" / "r.html")
    one_line(error)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(PromptError, match="which is not installed: run pip install") as refused:
        require_report(tmp_path / "r.html")
    one_line(refused)
