"""The queue: in order, bounded, and held by nobody who is over."""

import pytest

from spring.errors import BusyError
from spring.web.visitors import request_queue as module
from spring.web.visitors.request_queue import (
    FIRST_CONNECTION,
    GRACE,
    MAX_UNTAKEN,
    POLL_SECONDS,
    UNTAKEN,
    QueuedRequest,
    RequestQueue,
)


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    return now


def taken(queue: RequestQueue, visitor: str, address: str = "") -> QueuedRequest:
    queued = queue.take(visitor, queue.begin(visitor, address or visitor))
    assert queued is not None
    return queued


def runs(queue: RequestQueue, queued: QueuedRequest) -> bool:
    """Whether the queued may run at once."""
    return next(queue.wait(queued), None) is None


def test_one_runs_and_the_others_see_their_place_change(clock) -> None:
    queue = RequestQueue()
    first, second, third = (taken(queue, name) for name in "abc")
    assert runs(queue, first)
    waiting, behind = queue.wait(second), queue.wait(third)
    assert (next(waiting), next(behind)) == (1, 2)
    queue.finish(first)
    assert list(waiting) == []
    assert next(behind) == 1
    queue.finish(second)
    assert list(behind) == []
    assert third.started is not None
    queue.finish(third)
    assert queue.idle


@pytest.mark.parametrize("how", ["ended", "out of time", "away"])
def test_who_is_over_holds_nothing_though_nobody_finishes_it(clock, how) -> None:
    gone: dict[str, float] = {}
    queue = RequestQueue(longest=10, away=lambda visitor: gone.get(visitor, 0.0))
    first, second = taken(queue, "a"), taken(queue, "b")
    assert runs(queue, first)
    waiting = queue.wait(second)
    assert next(waiting) == 1
    if how == "ended":
        queue.end("a")
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
    queue = RequestQueue(away=lambda visitor: gone.get(visitor, 0.0))
    first, second = taken(queue, "a"), taken(queue, "b")
    assert runs(queue, first)
    waiting = queue.wait(second)
    assert next(waiting) == 1
    clock[0], gone["b"] = 5, GRACE + 0.1
    queue._drop_ended()  # as any other visitor's looking does
    gone["b"] = 0.0
    assert list(waiting) == []
    assert second.over


def test_those_who_begin_and_never_take_are_let_go_of(clock) -> None:
    queue = RequestQueue()
    for number in range(3 * MAX_UNTAKEN):
        queue.begin(f"visitor {number}")
        clock[0] += UNTAKEN / MAX_UNTAKEN
    assert len(queue._current) <= MAX_UNTAKEN + 1


def test_a_connection_may_be_away_for_a_moment_and_take_longer_to_come(clock) -> None:
    gone = {"a": float("inf")}
    queue = RequestQueue(away=lambda visitor: gone[visitor])
    queued = taken(queue, "a")
    waiting = queue.wait(queued)
    clock[0] = FIRST_CONNECTION
    assert not queued.over
    gone["a"] = 0.0
    assert list(waiting) == []  # it runs as soon as somebody reads, and shows no place before
    gone["a"] = GRACE
    assert not queued.over
    gone["a"] = GRACE + 0.1
    assert queued.over


def test_who_leaves_frees_a_place_within_two_seconds() -> None:
    assert GRACE + POLL_SECONDS < 2


def test_who_never_connects_never_runs(clock) -> None:
    queue = RequestQueue(away=lambda visitor: float("inf"))
    queued = taken(queue, "a")
    clock[0] = FIRST_CONNECTION + 1
    assert queued.over
    assert list(queue.wait(queued)) == []
    assert queued.started is None
    queue.finish(queued)
    assert queue.idle


def test_who_has_not_connected_yet_holds_nobody_up_and_does_not_count() -> None:
    gone = {"silent": float("inf"), "other": float("inf"), "third": 0.0}
    queue = RequestQueue(away=lambda visitor: gone[visitor])
    silent, other, third = (taken(queue, visitor) for visitor in gone)
    assert queue._place(silent, None) == queue._place(other, None) == 0
    gone["other"] = 0.0
    assert queue._place(other, 0) is None
    assert other.started is not None
    assert queue._place(third, None) == 1  # the next, when the other has ended
    assert queue._place(silent, 0) == 1


def test_places_are_bounded_and_so_are_those_of_an_address(clock) -> None:
    queue = RequestQueue(places=2)
    assert runs(queue, taken(queue, "a", "home"))
    assert not runs(queue, taken(queue, "b", "home"))
    with pytest.raises(BusyError, match=r"^Another request from your network address is waiting already: .*\.$"):
        runs(queue, taken(queue, "c", "home"))
    with pytest.raises(BusyError, match=r"^Another request of yours is waiting already: .*\.$"):
        runs(queue, queue.join("b", "elsewhere"))
    assert not runs(queue, taken(queue, "d", "elsewhere"))
    with pytest.raises(BusyError, match=r"^2 visitors are waiting already: .*\.$"):
        runs(queue, taken(queue, "e", "nowhere"))
    queue.end("b")
    assert not runs(queue, taken(queue, "e", "home"))


def test_a_request_that_was_begun_and_never_taken_is_forgotten(clock) -> None:
    queue = RequestQueue()
    queue.begin("a")
    clock[0] = UNTAKEN + 1
    queued = taken(queue, "b")
    assert runs(queue, queued)
    queue.finish(queued)
    assert queue.idle


def test_several_may_run_at_once(clock) -> None:
    queue = RequestQueue(at_once=2)
    first, second, third = (queue.join(name, name) for name in "abc")
    assert runs(queue, first)
    assert runs(queue, second)
    assert not runs(queue, third)


def test_several_run_at_once_and_the_next_is_who_has_waited_longest(clock) -> None:
    queue = RequestQueue(at_once=3)
    running = [taken(queue, name, "one address") for name in "abc"]
    assert all(runs(queue, queued) for queued in running)
    fourth, fifth = taken(queue, "d"), taken(queue, "e")
    waiting, behind = queue.wait(fourth), queue.wait(fifth)
    assert (next(waiting), next(behind)) == (1, 2)
    queue.finish(running[1])
    assert list(waiting) == []
    assert next(behind) == 1
    queue.end("a")
    assert list(behind) == []
    for queued in (*running, fourth, fifth):
        queue.finish(queued)
    assert queue.idle
