"""Blind tests, on a tiny random model: nothing tells the answers apart until the visitor has chosen."""

import re
from concurrent.futures import Future
from functools import reduce
from types import SimpleNamespace

import pytest

from spring.data.types import Collection, Passage
from spring.rag.library import Library
from spring.web.html.blind import NOT_SHOWN, cards
from spring.web.shared import Shared
from spring.web.tabs.blind import GONE, VOID
from spring.web.tabs.compare import CompareTab
from spring.web.visitors.blind_tests import MOST_VISITORS, NO_TEST, WRONG, BlindTests
from spring.web.visitors.documents import OWN
from tests.conftest import PASSAGES, QUESTION

ME, YOU = SimpleNamespace(session_hash="me"), SimpleNamespace(session_hash="you")
SAMPLE = "The station"
LEAKS = re.compile(
    r"without|with \d|virtual|in words|worked|exact match|F1|contains it|first token|tokens|cut at|score right|"
    r"card (with|words)|meter|class=\"a\"|Question:",
    re.IGNORECASE,
)
ASKED = {
    "question": QUESTION,
    "collection": SAMPLE,
    "k": 5,
    "passage_count": 2,
    "baseline": "examples",
    "expected": "nine",
    "max_new_tokens": 6,
    "temperature": 0,
    "blind": True,
}


@pytest.fixture
def tab(llama_engine):
    engine = Future()
    engine.set_result(llama_engine)
    found = (PASSAGES[0], Passage("pier.txt", 1, 0, "The northern pier is the pier of the ferry."))
    return CompareTab(Shared(engine, [Library.build(SAMPLE, Collection((), found, ()))]))


def stream(tab, request=ME, **inputs):
    return list(tab.action.stream(request, tab.action.begin(request)["ticket"], **(ASKED | inputs)))


def ask(tab, request=ME, **inputs):
    return reduce(lambda before, after: before | {**after}, stream(tab, request, **inputs), {})


def letters(updates) -> dict[str, str]:
    """The text behind each letter."""
    return dict(re.findall(r"<h3>(\w)</h3><div class=\"answer\">(.*?)</div>", updates["answers"], re.DOTALL))


def test_nothing_that_is_sent_before_the_choice_tells_the_answers_apart(tab) -> None:
    begun = tab.action.begin(ME)
    sent = [begun, *tab.action.stream(ME, begun["ticket"], **ASKED)]
    assert LEAKS.search(str([begun["status"], sent[1:]])) is None
    with_answers = [updates["answers"] for updates in sent if "answers" in updates]
    assert len(with_answers) == 2  # all of them at once, in the end
    assert set(re.findall(r"<div class=\"answer\">(.*?)</div>", with_answers[0])) == {'<span class="cursor"></span>'}
    assert set(letters(sent[-1])) == {"A", "B", "C"}
    assert sent[-1]["blind_box"]["visible"]
    assert tab.shared.history.of("me") == ()  # what is kept can be shown and explained
    assert "explained" not in sent[-1]


def test_a_choice_reveals_all_and_is_counted_for_the_visit(tab) -> None:
    hidden = ask(tab)
    shown = tab.blind.reveal(ME, ["B"])
    [kept] = tab.shared.history.of("me")
    was = dict(re.findall(r"(\w) was ([^,.]+)", shown["status"]))
    texts = {answer.title: answer.text.strip() for answer in kept.comparison.answers}
    assert set(was.values()) == set(texts)
    seen = letters(hidden)
    for letter, kind in was.items():
        assert seen[letter] == cards([texts[kind]], "").split('class="answer">')[1].split("</div>")[0]
    assert "exact match" in shown["answers"]
    assert 'class="seam"' in shown["prompt"]
    assert shown["explained"] == kept.number
    assert not shown["blind_box"]["visible"]
    assert f"<b>{was['B']}</b> 1 of 1" in shown["tally"]
    assert shown["tally"].count("0 of 1") == 2
    ask(tab)
    assert tab.blind.reveal(ME, [])["tally"].count(" of 2") == 3
    tab.shared.leave("me")
    assert tab.shared.blind_tests.tally("me") == {}
    assert NO_TEST in tab.blind.reveal(ME, ["A"])["status"]  # one choice a test
    assert NO_TEST in tab.blind.reveal(YOU, ["A"])["status"]


def test_the_order_is_random() -> None:
    tests: BlindTests[str] = BlindTests()
    assert len({tuple(tests.hide("me", "shown", ["a", "b", "c"])) for _ in range(200)}) == 6


def test_visitors_make_room_for_each_other() -> None:
    tests: BlindTests[int] = BlindTests()
    for number in range(MOST_VISITORS + 1):
        tests.hide(str(number), number, ["a", "b"])
    assert tests.tally("0") == {}
    assert tests.reveal(str(MOST_VISITORS), ["A"])[0] == MOST_VISITORS
    assert len(tests._visits) == MOST_VISITORS


@pytest.mark.parametrize(
    "choice", [None, "A", {"A": 1}, 7, [7], ["D"], ["A", "A"], ["A", "B", "C", "D"], ["AB"], [["A"]], ["<b>"], [""]]
)
def test_a_choice_that_no_page_sends_gets_one_sentence_and_leaves_the_test_open(tab, choice) -> None:
    ask(tab)
    refused = tab.blind.reveal(ME, choice)
    assert set(refused) == {"status"}
    assert WRONG in refused["status"]
    assert "blind_box" in tab.blind.reveal(ME, ["C", "A"])


def test_a_new_question_and_removed_documents_close_the_test(tab) -> None:
    ask(tab)
    ask(tab, blind=False)
    assert NO_TEST in tab.blind.reveal(ME, [])["status"]
    tab.shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    ask(tab, collection=OWN)
    tab.shared.sessions.forget("me")  # they have expired
    assert GONE in tab.blind.reveal(ME, [])["status"]
    tab.shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))
    ask(tab, collection=OWN)
    tab.shared.remove_documents("me")
    tab.shared.sessions.keep("me", Library.build(OWN, Collection((), tuple(PASSAGES), ())))  # others, uploaded since
    assert NO_TEST in tab.blind.reveal(ME, [])["status"]
    assert tab.shared.history.of("me")[-1].is_own is False
    ask(tab)
    tab.shared.remove_documents("me")
    assert "tally" in tab.blind.reveal(ME, [])  # of a sample


def test_a_round_that_is_stopped_shows_no_answer_and_does_not_count(tab) -> None:
    begun = tab.action.begin(ME)
    updates = tab.action.stream(ME, begun["ticket"], **(ASKED | {"max_new_tokens": 200}))
    sent = [next(updates)]
    tab.action.stop(ME)
    sent += updates
    assert LEAKS.search(str(sent)) is None
    assert VOID in sent[-1]["status"]
    assert set(letters(sent[-1]).values()) == {NOT_SHOWN}
    assert not any("blind_box" in updates for updates in sent)
    assert NO_TEST in tab.blind.reveal(ME, [])["status"]
    assert tab.shared.blind_tests.tally("me") == {}
