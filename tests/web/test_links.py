"""Addresses that fill in the form: what is usable is used, all else is named, nothing fails."""

from concurrent.futures import Future
from urllib.parse import urlencode

import pytest

from spring.data.questions import Question
from spring.data.types import Collection
from spring.errors import PromptError
from spring.rag.library import Library
from spring.web.html.link import link_view
from spring.web.shared import Shared
from spring.web.tabs.form import Form
from spring.web.tabs.link import Links
from spring.web.visitors.documents import OWN
from spring.web.visitors.links import LONGEST_ADDRESS, Link, checked_address, read_link

SAMPLES = ("The station", "Ünï & co")
GOOD = {"collection": "Ünï & co", "q": "Who & why? ${1}", "k": "7", "passages": "10", "run": "1"}


def opened(**changes):
    return read_link("?" + urlencode(GOOD | changes, errors="surrogatepass"), SAMPLES, 50)


def test_a_link_fills_in_the_form_and_asks():
    values = {"collection": "Ünï & co", "question": "Who & why? ${1}", "k": 7, "passage_count": 10}
    assert opened() == Link(values, (), True)
    assert opened(run="0") == Link(values, (), False)
    assert read_link("?__theme=dark&stage=1", SAMPLES, 50) == Link()
    assert read_link("?run=1", SAMPLES, 50) == Link()  # there is nothing to ask


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        *[({"k": k}, "k", "k must be 0 to 50") for k in ("51", "abc", "1e9", "NaN", "-1", "٣", "5.0", " 5", "9" * 999)],
        *[({"passages": p}, "passage_count", "passages must be 1 to 10") for p in ("0", "11", "x")],
        *[({"collection": c}, "collection", "no such sample") for c in (OWN, "../etc", "<b>", "\ud800")],
        *[({"q": q}, "question", "longer than 2,000") for q in ("a" * 2001, "€" * 9000, "q" * 10**6)],
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_asked(change, key, reason):
    link = opened(**change)
    assert key not in link.values
    assert reason in link.note
    assert len(link.note) < 120
    assert not link.run


@pytest.mark.parametrize("query", [None, 5, [], {}, "?", "&" * 10**5, "?q=%ff%fe&k=%00", "?q=\ud83d", "?%", "=" * 999])
def test_no_query_makes_it_fail(query):
    link = read_link(query, SAMPLES, 50)
    assert not link.run
    link.note.encode()
    str(link.values.get("question", "")).encode()


def test_only_an_address_that_asks_a_question_is_made_into_a_link():
    base = "https://me-spring.hf.space/sub/?"
    assert checked_address(base + urlencode(GOOD), SAMPLES, 50) == base + urlencode(GOOD)
    for address in (
        "",
        None,
        "javascript:alert(1)",
        base,
        base + urlencode(GOOD | {"collection": OWN}),
        base + urlencode(GOOD | {"k": "99"}),
        base + urlencode(GOOD | {"q": " "}),
        "https://[" + urlencode(GOOD),
        "data:text/html,?" + urlencode(GOOD),
        base + "q" * LONGEST_ADDRESS,
    ):
        with pytest.raises(PromptError):
            checked_address(address, SAMPLES, 50)


def test_the_link_is_escaped_and_has_a_code_as_long_as_one_can_hold_it():
    html = link_view('https://x/?q="><script>${alert(1)}</script>', copied=True)
    assert "<script" not in html
    assert "${" not in html
    assert "<svg" in html
    assert "copied" in html
    assert "copied" not in link_view("https://x/", copied=False)
    assert "too long for a QR code" in link_view("https://x/?q=" + "a" * 3000, copied=True)


def test_the_page_is_filled_in_while_the_model_is_loading():
    known = Question("1", "Who & why? ${1}", ("Ann", "Bo"))
    shared = Shared(Future(), [Library.build("Ünï & co", Collection((), (), ()), [known])])
    links = Links(shared, Form(shared))
    updates = links.open("?" + urlencode(GOOD))
    assert updates["run"] is True
    assert updates["expected"] == "Ann | Bo"
    assert "linked" not in updates
    assert "not followed" in links.open("?k=<b>")["linked"]
    assert "sample collection" in links.share("", True)["linked"]
    assert "svg" in links.share("http://x/?" + urlencode(GOOD), True)["linked"]
