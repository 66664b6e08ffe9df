"""The queue: in order, bounded, and held by nobody who is over."""

import pytest

from spring.errors import BusyError
from spring.web.visitors import request_queue as module
from spring.web.visitors.request_queue import COMING, FORGOTTEN, GRACE, LOOK_AGAIN, MANY, QueuedRequest, RequestQueue


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    monkeypatch.setattr(module, "LOOK_AGAIN", 0.0)
    return now


def taken(turns: RequestQueue, visitor: str, address: str = "") -> QueuedRequest:
    turn = turns.take(visitor, turns.begin(visitor, address or visitor))
    assert turn is not None
    return turn


def runs(turns: RequestQueue, turn: QueuedRequest) -> bool:
    """Whether the turn may run at once."""
    return next(turns.wait(turn), None) is None


def test_one_runs_and_the_others_see_their_place_change(clock) -> None:
    turns = RequestQueue()
    first, second, third = (taken(turns, name) for name in "abc")
    assert runs(turns, first)
    waiting, behind = turns.wait(second), turns.wait(third)
    assert (next(waiting), next(behind)) == (1, 2)
    turns.finish(first)
    assert list(waiting) == []
    assert next(behind) == 1
    turns.finish(second)
    assert list(behind) == []
    assert third.started is not None
    turns.finish(third)
    assert turns.idle


@pytest.mark.parametrize("how", ["ended", "out of time", "away"])
def test_who_is_over_holds_nothing_though_nobody_finishes_it(clock, how) -> None:
    gone: dict[str, float] = {}
    turns = RequestQueue(longest=10, away=lambda visitor: gone.get(visitor, 0.0))
    first, second = taken(turns, "a"), taken(turns, "b")
    assert runs(turns, first)
    waiting = turns.wait(second)
    assert next(waiting) == 1
    if how == "ended":
        turns.end("a")
    elif how == "out of time":
        clock[0] = 10
    else:
        clock[0] = 5
        gone["a"] = GRACE + 0.1
    assert first.over
    assert list(waiting) == []
    assert second.started is not None


def test_who_is_over_stays_so_as_the_place_may_be_anothers_by_now(clock) -> None:
    gone: dict[str, float] = {}
    turns = RequestQueue(away=lambda visitor: gone.get(visitor, 0.0))
    first, second = taken(turns, "a"), taken(turns, "b")
    assert runs(turns, first)
    waiting = turns.wait(second)
    assert next(waiting) == 1
    clock[0], gone["b"] = 5, GRACE + 0.1
    turns._tidy()  # as any other visitor's looking does
    gone["b"] = 0.0
    assert list(waiting) == []
    assert second.over


def test_those_who_begin_and_never_take_are_let_go_of(clock) -> None:
    turns = RequestQueue()
    for number in range(3 * MANY):
        turns.begin(f"visitor {number}")
        clock[0] += FORGOTTEN / MANY
    assert len(turns._current) <= MANY + 1


def test_a_connection_may_be_away_for_a_moment_and_take_longer_to_come(clock) -> None:
    gone = {"a": float("inf")}
    turns = RequestQueue(away=lambda visitor: gone[visitor])
    turn = taken(turns, "a")
    waiting = turns.wait(turn)
    clock[0] = COMING
    assert not turn.over
    gone["a"] = 0.0
    assert list(waiting) == []  # it runs as soon as somebody reads, and shows no place before
    gone["a"] = GRACE
    assert not turn.over
    gone["a"] = GRACE + 0.1
    assert turn.over


def test_who_leaves_frees_a_place_within_two_seconds() -> None:
    assert GRACE + LOOK_AGAIN < 2


def test_who_never_connects_never_runs(clock) -> None:
    turns = RequestQueue(away=lambda visitor: float("inf"))
    turn = taken(turns, "a")
    clock[0] = COMING + 1
    assert turn.over
    assert list(turns.wait(turn)) == []
    assert turn.started is None
    turns.finish(turn)
    assert turns.idle


def test_places_are_bounded_and_so_are_those_of_an_address(clock) -> None:
    turns = RequestQueue(places=2)
    assert runs(turns, taken(turns, "a", "home"))
    assert not runs(turns, taken(turns, "b", "home"))
    with pytest.raises(BusyError, match=r"^Another request from your network address is waiting already: .*\.$"):
        runs(turns, taken(turns, "c", "home"))
    with pytest.raises(BusyError, match=r"^Another request of yours is waiting already: .*\.$"):
        runs(turns, turns.join("b", "elsewhere"))
    assert not runs(turns, taken(turns, "d", "elsewhere"))
    with pytest.raises(BusyError, match=r"^2 visitors are waiting already: .*\.$"):
        runs(turns, taken(turns, "e", "nowhere"))
    turns.end("b")
    assert not runs(turns, taken(turns, "e", "home"))


def test_a_turn_that_was_begun_and_never_taken_is_forgotten(clock) -> None:
    turns = RequestQueue()
    turns.begin("a")
    clock[0] = FORGOTTEN + 1
    turn = taken(turns, "b")
    assert runs(turns, turn)
    turns.finish(turn)
    assert turns.idle


def test_several_may_run_at_once(clock) -> None:
    turns = RequestQueue(at_once=2)
    first, second, third = (turns.join(name, name) for name in "abc")
    assert runs(turns, first)
    assert runs(turns, second)
    assert not runs(turns, third)
