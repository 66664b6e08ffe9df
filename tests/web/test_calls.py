"""Calls of programs: which results can still be fetched."""

import json

import pytest

from spring.web.gateway import calls as module
from spring.web.gateway.body import RequestRefused
from spring.web.gateway.calls import Calls
from spring.web.visitors.connections import Connections
from spring.web.visitors.request_queue import FIRST_CONNECTION
from tests.support.servers import in_a_loop


async def nothing(*_: object) -> dict[str, object]:
    return {"type": "http.request"}


@pytest.fixture
def calls() -> Calls:
    numbers = iter(range(10_000))

    async def gradio(scope, receive, send) -> None:
        answer = {"event_id": str(next(numbers))}
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return Calls(gradio, Connections(), "/call", {"question": None})


def fetched(calls: Calls, event: str) -> bool:
    try:
        in_a_loop(calls.fetch(event, {}, nothing, nothing))
    except RequestRefused:
        return False
    return True


def started(calls: Calls, count: int) -> None:
    async def start() -> None:
        for _ in range(count):
            await calls.start({"data": []}, {"path": "/call", "headers": []}, nothing, nothing)

    in_a_loop(start())


def test_a_result_is_fetched_once_and_soon(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "CLOCK", lambda: now[0])
    started(calls, 2)
    assert [fetched(calls, event) for event in ("0", "0", "2")] == [True, False, False]
    now[0] = FIRST_CONNECTION + 1
    assert not fetched(calls, "1")


def test_of_many_calls_the_newest_are_remembered(calls: Calls) -> None:
    started(calls, module.STARTED + 1)
    assert [fetched(calls, str(event)) for event in (0, 1, module.STARTED)] == [False, True, True]
