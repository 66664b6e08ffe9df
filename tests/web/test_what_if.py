"""What if: the same question again, with passages left out or changed, on a tiny random model."""

import json
from collections.abc import Mapping
from concurrent.futures import Future
from functools import reduce
from types import SimpleNamespace
from typing import Any

import pytest

from spring.data.types import Collection, Passage
from spring.errors import PromptError
from spring.generation.comparison import ALL_LEFT_OUT, NOTHING_FOUND
from spring.rag.library import Library
from spring.web import export
from spring.web.shared import Shared
from spring.web.tabs.compare import CompareTab
from spring.web.tabs.history import HistoryTab
from spring.web.tabs.what_if import GONE, LONGEST_PASSAGE, WRONG
from spring.web.visitors.documents import OWN
from tests.conftest import PASSAGES, QUESTION

ME, YOU = SimpleNamespace(session_hash="me"), SimpleNamespace(session_hash="you")
HOSTILE = "The ferry <img src=x onerror=alert(1)> ${1+1} </p></li> \ud800 leaves at ten."
SAMPLE = "The station"
FOUND = (PASSAGES[0], Passage("pier.txt", 1, 0, "The northern pier is the pier of the ferry."))
ASKED = {
    "question": QUESTION,
    "collection": SAMPLE,
    "k": 5,
    "passage_count": 2,
    "baseline": "none",
    "expected": "nine",
    "max_new_tokens": 3,
    "temperature": 0,
}


@pytest.fixture
def tab(llama_engine):
    engine = Future()
    engine.set_result(llama_engine)
    return CompareTab(Shared(engine, [Library.build(SAMPLE, Collection((), FOUND, ()))]))


def ask(tab, request=ME, **inputs) -> Mapping[str, Any]:
    """What the page shows in the end."""
    updates = tab.action.stream(request, tab.action.begin(request)["ticket"], **(ASKED | inputs))
    return reduce(lambda before, after: before | {**after}, updates, {})


def test_a_passage_that_is_left_out_is_not_read_and_can_be_put_back(tab) -> None:
    first = ask(tab)
    assert first["again"]["interactive"]
    again = ask(tab, base=first["base"], edits=[{"rank": 2, "text": None}], question="another one")
    asked = tab.shared.history.of("me")[-1].comparison
    assert asked.question == QUESTION
    assert [hit.rank for hit in asked.hits] == [2]
    assert 'data-rank="1"' in again["passages"]  # still listed
    assert again["passages"].count(" checked>") == 1
    assert asked.prompt.before.startswith("[1] ")
    assert again["passages"].count("<span>[1] in the prompt</span>") == 1  # what is shown as [2]
    assert "base" not in again  # the passages to choose from stay those that were found
    assert "exact match" in again["answers"]


def test_a_changed_passage_is_marked_and_stays_text_and_the_document_is_as_it_was(tab) -> None:
    base = ask(tab)["base"]
    again = ask(tab, base=base, edits=[{"rank": 1, "text": HOSTILE}, {"rank": 2}])
    passages, answers, prompt = (again[name] for name in ("passages", "answers", "prompt"))
    assert "<img" not in passages + answers + prompt
    assert "$" not in passages + prompt
    assert passages.count('class="edited"') == 1
    assert 'class="original" hidden' in passages
    assert "ferry &lt;img" in prompt.replace('<mark class="q">', "").replace("</mark>", "")
    assert "exact match" not in answers  # the expected answer was that of the document
    retriever = tab.shared.documents.library(SAMPLE, "me").retriever
    assert {hit.passage for hit in retriever.search(QUESTION, 2)} == set(FOUND)


def test_without_any_passage_the_answers_come_from_the_model_alone(tab) -> None:
    again = ask(tab, base=ask(tab)["base"], edits=[])
    assert again["answers"].index("Every passage is left out") < again["answers"].index('class="cards n2 alone"')
    nothing = ask(tab, question="Xylophonist quokkas?")
    assert nothing["answers"].index("None of the words occur") < nothing["answers"].index('class="cards n2 alone"')
    assert "None of the words" not in nothing["status"]
    assert "again" not in nothing


def test_history_and_exports_say_what_was_changed_and_left_out(tab, llama_engine) -> None:
    base, history = ask(tab)["base"], HistoryTab(tab.shared)
    again = ask(tab, base=base, edits=[{"rank": 2, "text": "The pier is new."}])
    [_, kept] = tab.shared.history.of("me")
    shown = history.show(ME, kept.number)
    assert [shown[name] for name in ("line", "answers", "passages")] == [
        again[name] for name in ("status", "answers", "passages")
    ]
    labels = [label for label, _ in history._listed(ME, None)["entries"]["choices"]]
    assert labels[0].endswith("(k = 5, 1 passage, 1 edited, 1 left out)")
    assert labels[1].endswith("(k = 5, 2 passages)")
    assert "0.txt, page 1 (left out by the visitor); pier.txt, page 1 (edited by the visitor)" in export.as_csv([kept])
    assert "txt, page 1 (left out by the visitor)\n\n> The ferry" in shown["markdown"]
    assert "pier.txt, page 1 (edited by the visitor)\n\n> The pier is new." in shown["markdown"]
    before, after = json.loads(export.as_json(tab.shared.history.of("me"), llama_engine))
    assert [hit["edited_by_visitor"] for hit in (*before["passages"], *after["passages"])] == [False, False, True]
    assert [len(asked["left_out_by_visitor"]) for asked in (before, after)] == [0, 1]
    ask(tab, base=base, edits=[])
    kept = tab.shared.history.of("me")[-1]
    assert ALL_LEFT_OUT in history.show(ME, kept.number)["answers"]
    assert ALL_LEFT_OUT in export.as_markdown([kept])
    assert NOTHING_FOUND not in export.as_markdown([kept]) + export.as_json([kept], llama_engine)


@pytest.mark.parametrize("base", [0, 1, -1, None, "1", [1], {"a": 1}, float("nan"), 10**400])
def test_only_ones_own_comparison_can_be_asked_again(tab, base) -> None:
    ask(tab, YOU)  # number 1
    assert GONE in ask(tab, base=base, edits=[])["status"]


def test_passages_of_documents_that_were_removed_are_gone(tab) -> None:
    tab.shared.sessions.keep("me", Library.build(OWN, Collection((), FOUND, ())))
    base = ask(tab, collection=OWN)["base"]
    tab.shared.history.forget_own("me")
    assert GONE in ask(tab, collection=OWN, base=base, edits=[{"rank": 1}])["status"]


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ("all", WRONG),
        ({}, WRONG),
        (7, WRONG),
        ([7], WRONG),
        ([{"rank": 3}], WRONG),
        ([{"rank": 0}], WRONG),
        ([{"rank": True}], WRONG),
        ([{"rank": "1"}], WRONG),
        ([{"rank": [1]}], WRONG),
        ([{"rank": float("inf")}], WRONG),
        ([{"rank": 1}, {"rank": 1}], WRONG),
        ([{"rank": 1}] * 1000, WRONG),
        ([{"rank": 1, "text": 5}], WRONG),
        ([{"rank": 1, "text": [HOSTILE]}], WRONG),
        ([{"rank": 1, "text": " \n "}], "Passage 1 is empty"),
        ([{"rank": 1, "text": "x" * (LONGEST_PASSAGE + 1)}], "Passage 1 has 4,001 characters; at most 4,000."),
    ],
)
def test_changes_that_no_page_sends_get_one_sentence(tab, edits, message) -> None:
    base = ask(tab)["base"]
    last = ask(tab, base=base, edits=edits)
    assert message in last["status"]
    assert 'role="alert"' in last["status"]
    assert len(tab.shared.history.of("me")) == 1
    with pytest.raises(PromptError, match=message.split(":")[0]):
        tab.what_if.asked("me", base, edits)
