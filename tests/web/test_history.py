"""The comparisons that are kept for each visitor."""

from dataclasses import replace

import pytest

from spring.generation.comparison import Comparison
from spring.generation.types import Answer, GenerationRequest, Progress
from spring.rag.prompt import build_prompt
from spring.rag.retriever import Hit
from spring.web.visitors import history as module
from spring.web.visitors.history import KEPT, History
from spring.web.visitors.sessions import LEFT
from tests.conftest import PASSAGES, QUESTION


def comparison(question: str = QUESTION, passages=tuple(PASSAGES[:2])) -> Comparison:
    prompt = build_prompt(passages, question)
    hits = tuple(Hit(passage, 1.0, rank, ("ferry",)) for rank, passage in enumerate(passages, 1))
    answers = (Answer(0, text="At ten", ended="stop"), Answer(5, text="At nine", ended="stop"))
    requests = tuple(GenerationRequest(prompt, answer.virtual_tokens) for answer in answers)
    return Comparison(question, hits, (), prompt, requests, Progress(answers, ((1, 2), (3, 4))))


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    return now


def questions(history: History, visitor: str) -> list[str]:
    return [kept.comparison.question for kept in history.of(visitor)]


def test_the_last_ones_are_kept_and_each_for_its_own_visitor() -> None:
    history = History()
    numbers = [history.keep("me", comparison(f"Question {i}?")) for i in range(KEPT + 2)]
    theirs = history.keep("you", comparison())
    assert questions(history, "me") == [f"Question {i}?" for i in range(2, KEPT + 2)]
    assert history.find("me", numbers[-1]) is not None
    assert history.find("me", numbers[0]) is None
    assert history.find("me", theirs) is None
    assert history.of("nobody") == ()


def test_they_go_with_time_and_with_the_visitor(clock) -> None:
    history = History(idle=3600)
    history.keep("me", comparison())
    clock[0] += 3599
    assert history.of("me")
    history.leave("me")
    clock[0] += LEFT - 1
    assert history.of("me")  # came back
    history.leave("me")
    clock[0] += LEFT
    history.tidy()
    assert history.nbytes == 0
    history.keep("me", comparison())
    clock[0] += 3600
    assert history.of("me") == ()


def test_a_flood_takes_its_own_room_and_pushes_nobody_out(clock) -> None:
    size = _size()
    history = History(room=lambda: 8 * size)
    assert history.keep("me", comparison(), address="mine")
    flood = [history.keep(f"flood {i}", comparison(), address="one") for i in range(5)]
    assert [number > 0 for number in flood] == [True, True, False, False, False]
    for number in range(4):
        history.keep("me", comparison(f"{number}"), address="mine")
    assert len(history.of("me")) == 2  # its own oldest ones made room
    assert history.nbytes <= 8 * size


def test_documents_that_need_the_room_get_it(clock) -> None:
    room = [8 * _size()]
    history = History(room=lambda: room[0])
    for visitor in ("first", "second", "third"):
        history.keep(visitor, comparison(), address=visitor)
        clock[0] += 1
    room[0] = _size() + 10
    history.tidy()
    assert [bool(history.of(visitor)) for visitor in ("first", "second", "third")] == [False, False, True]
    room[0] = -1
    assert history.keep("third", comparison()) == 0
    assert history.of("third") == ()


def test_what_quotes_removed_documents_goes_with_them() -> None:
    history = History()
    history.keep("me", comparison("Of mine?"), is_own=True)
    history.keep("me", comparison("Of a sample?"))
    history.keep("you", comparison("Of yours?"), is_own=True)
    history.forget_own("me")
    assert questions(history, "me") == ["Of a sample?"]
    assert questions(history, "you") == ["Of yours?"]


def test_the_room_that_one_takes_is_counted() -> None:
    long = replace(PASSAGES[0], text="x" * 100_000)
    assert module._size(comparison(passages=(long,))) > 300_000  # the passage, and the prompts that hold it


def _size() -> int:
    return module._size(comparison())
