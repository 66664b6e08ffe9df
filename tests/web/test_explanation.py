"""Why this answer: the section below the answers, on a tiny random model."""

from concurrent.futures import Future
from functools import reduce
from types import SimpleNamespace

import pytest

from spring.data.types import Collection, Passage
from spring.generation.attribution import attribute
from spring.generation.comparison import ComparisonSettings, compare
from spring.generation.types import AnswerAttribution, Attribution, DecodingOptions
from spring.rag.library import Library
from spring.web.html import explanation as html
from spring.web.html.status import status
from spring.web.shared import Shared
from spring.web.tabs.compare import CompareTab
from spring.web.tabs.explain import GONE
from spring.web.tabs.streaming import buttons
from spring.web.visitors.documents import OWN
from tests.conftest import PASSAGES, QUESTION

ME, YOU = SimpleNamespace(session_hash="me"), SimpleNamespace(session_hash="you")
HOSTILE = "<img src=x onerror=alert(1)> ${1+1}"
SAMPLE = "The station"
FOUND = (PASSAGES[0], Passage("pier.txt", 1, 0, "The northern pier is the pier of the ferry."))
ASKED = {
    "question": QUESTION,
    "collection": SAMPLE,
    "k": 5,
    "passage_count": 2,
    "baseline": "none",
    "expected": "",
    "max_new_tokens": 4,
    "temperature": 0,
}


@pytest.fixture
def shared(llama_engine):
    engine = Future()
    engine.set_result(llama_engine)
    return Shared(engine, [Library.build(SAMPLE, Collection((), FOUND, ()))])


@pytest.fixture
def tab(shared):
    return CompareTab(shared)


def run(action, request=ME, **inputs):
    """What the page shows in the end of an action."""
    return reduce(lambda before, after: before | {**after}, stream(action, request, **inputs), {})


def stream(action, request=ME, **inputs):
    return action.stream(request, action.begin(request)["ticket"], **inputs)


def test_an_explanation_has_the_numbers_of_the_package(tab, llama_engine) -> None:
    compared = run(tab.action, **ASKED)
    assert compared["explain"]["interactive"]
    seen = list(stream(tab.explanation.action, explained=compared["explained"]))
    assert sum("ribbon" in updates for updates in seen) == 2  # what the visitor chose in it stays
    [kept] = tab.shared.history.of("me")
    *_, attribution = attribute(llama_engine, kept.comparison)
    shown = reduce(lambda before, after: before | {**after}, seen, {})
    for answer, side in zip(kept.comparison.answers, attribution.answers, strict=True):
        for drop in side.drops:
            assert f'title="{answer.title}: {html._number(drop)} nats"' in shown["bars"]
    assert shown["ribbon"].count('type="radio"') == 2
    assert shown["bars"].count("A long bar shows where an answer comes from, not that it is true") == 1
    assert "pier.txt, page 1" in shown["bars"]
    assert not shown["stop"]["interactive"]


def test_an_explanation_needs_a_comparison_of_ones_own(tab) -> None:
    for explained in (0, 1, None, "1", -1, [1], float("nan"), 10**400):
        assert GONE in run(tab.explanation.action, explained=explained)["status"]
    number = run(tab.action, **ASKED)["explained"]
    assert GONE in run(tab.explanation.action, YOU, explained=number)["status"]
    assert "times more" in run(tab.explanation.action, explained=number)["status"]
    mine = tab.explanation.action.begin(ME)["ticket"]
    assert [*tab.explanation.action.stream(YOU, mine, explained=number)] == [
        {"status": status("Stopped."), **buttons(False)}
    ]


def test_removed_documents_are_not_explained(tab) -> None:
    tab.shared.sessions.keep("me", Library.build(OWN, Collection((), (Passage("mine.txt", 1, 0, QUESTION),), ())))
    number = run(tab.action, **ASKED | {"collection": OWN})["explained"]
    other = run(tab.action, **ASKED)["explained"]
    tab.shared.remove_documents("me")
    assert GONE in run(tab.explanation.action, explained=number)["status"]
    assert "times more" in run(tab.explanation.action, explained=other)["status"]


def test_a_stopped_comparison_is_not_explained(tab) -> None:
    updates = stream(tab.action, **ASKED | {"max_new_tokens": 200})
    next(update for update in updates if "token" in update.get("answers", ""))
    tab.action.stop(ME)
    assert all("explained" not in update for update in updates)
    assert tab.shared.history.of("me") == ()


def test_stop_keeps_the_bars_and_a_newer_comparison_takes_their_place(tab) -> None:
    number = run(tab.action, **ASKED)["explained"]
    updates = stream(tab.explanation.action, explained=number)
    next(update for update in updates if "bars" in update)
    tab.explanation.action.stop(ME)
    assert "Stopped." in reduce(lambda before, after: before | {**after}, updates, {})["status"]
    updates = stream(tab.explanation.action, explained=number)
    next(update for update in updates if "bars" in update)
    begun = tab.action.begin(ME)
    assert begun["bars"] == begun["ribbon"] == ""
    assert begun["explained"] == 0
    assert list(updates) == []  # nothing of the old answer comes after that


def test_an_empty_answer_is_said_in_words_and_texts_are_escaped(llama_engine) -> None:
    hits = Library.build(SAMPLE, Collection((), (Passage(HOSTILE, 1, 0, f"{HOSTILE} ferry"),), ())).retriever
    settings = ComparisonSettings((0, 5), 1, ("examples",), DecodingOptions(2))
    *_, comparison = compare(llama_engine, hits, QUESTION, settings)
    numbers = (0.5,)
    sides = (
        AnswerAttribution(0, "plain", (), (0.0,)),
        AnswerAttribution(5, "", (HOSTILE,), (-0.01,), numbers, numbers, (0.001,), (1.0,)),
        AnswerAttribution(0, "examples", ("\n",), (None,), numbers, numbers, numbers, numbers),
    )
    attribution = Attribution(sides, 3, 2)
    bars, ribbon = html.bars(attribution, comparison), html.ribbon(attribution, comparison)
    assert "<img" not in bars + ribbon
    assert "${" not in bars + ribbon
    assert bars.count(html.EMPTY) == ribbon.count(html.EMPTY) == 1
    assert "without virtual tokens: " not in bars  # no bar of nothing
    assert "no passage alone matters" in bars
    assert "0.0 nats" in bars
    assert "-0" not in bars
    assert "<small>&lt; 1</small>" in ribbon
    assert 'class="p4"' in ribbon
    assert "as asked, in words" in ribbon


@pytest.mark.parametrize(
    ("drops", "verdict"),
    [
        ((19.8, 0.01), "it comes from passage <b>[1]</b> 0.txt, page 1: 19.8 nats, where the next has 0.0."),
        ((2.0, 3.0), "it leans on several passages, [2], [1], most on <b>[2]</b> 1.txt, page 1."),
        ((0.9, -3.0), "no passage alone matters"),
        ((None, 1.0), "…"),
    ],
)
def test_the_verdict_on_an_answer(drops, verdict) -> None:
    hits = [SimpleNamespace(rank=place + 1, passage=PASSAGES[place]) for place in range(2)]
    assert html._verdict(AnswerAttribution(5, "", ("a",), drops), hits).startswith(verdict)


def test_an_answer_without_passages_does_not_say_why_there_were_none() -> None:
    side = AnswerAttribution(5, "", ("a",), ())
    assert html._verdict(side, []) == "it comes from the model alone, as it was given no passage."
