"""Open pages are known from short requests; for Gradio each holds a connection until it is gone."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from spring.web.gateway import heartbeat as module
from spring.web.gateway.body import RequestRefused
from spring.web.gateway.heartbeat import Heartbeats
from tests.support.servers import in_a_loop, until

Held = list[str]  # sessions whose connection Gradio sees
SCOPE = {"type": "http", "asgi": {}, "headers": [], "query_string": b"beat", "client": ("198.51.100.1", 1)}


@pytest.fixture
def held() -> Held:
    return []


@pytest.fixture
def run(held: Held) -> Callable[[Callable[[Heartbeats], Coroutine[None, None, None]]], None]:
    async def gradio(scope, receive, send) -> None:
        held.append(scope["path"])
        assert (await receive())["type"] == "http.disconnect"
        held.remove(scope["path"])

    def in_loop(work: Callable[[Heartbeats], Coroutine[None, None, None]]) -> None:
        async def all_of_it() -> None:
            await work(Heartbeats(gradio))

        in_a_loop(all_of_it())

    return in_loop


async def tell(said: Callable[..., Coroutine[None, None, None]], session: str, address: str = "198.51.100.1") -> int:
    answers: list[dict[str, int]] = []

    async def send(message: dict[str, int]) -> None:
        answers.append(message)

    await said(session, {**SCOPE, "path": session, "client": (address, 1)}, None, send)
    return answers[0]["status"]


def test_a_page_is_held_once_until_it_leaves(run, held: Held) -> None:
    async def work(pages: Heartbeats) -> None:
        for session in ("a", "b", "a"):
            assert await tell(pages.beat, session) == 204
        await until(lambda: held == ["a", "b"])
        assert await tell(pages.leave, "a") == 204
        await until(lambda: held == ["b"])
        await tell(pages.leave, "a")
        await tell(pages.beat, "a")  # back from the browser's cache
        await until(lambda: held == ["b", "a"])
        for session in held[:]:
            await tell(pages.leave, session)

    run(work)


def test_a_page_without_a_beat_is_gone(run, held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(pages: Heartbeats) -> None:
        await tell(pages.beat, "a")
        await until(lambda: held == ["a"])
        now = module.CLOCK() + module.GONE + 1
        monkeypatch.setattr(module, "CLOCK", lambda: now)
        await tell(pages.beat, "b")
        await until(lambda: held == ["b"])
        await tell(pages.leave, "b")

    run(work)


def test_open_pages_are_bounded_also_of_one_address(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGES", 3)
    monkeypatch.setattr(module, "PAGES_OF_ADDRESS", 2)

    async def work(pages: Heartbeats) -> None:
        for session in ("a", "b"):
            await tell(pages.beat, session)
        with pytest.raises(RequestRefused, match="Too many pages"):
            await tell(pages.beat, "c")
        await tell(pages.beat, "a")  # is open already
        await tell(pages.beat, "c", "198.51.100.2")
        with pytest.raises(RequestRefused, match="Too many pages"):
            await tell(pages.beat, "d", "198.51.100.3")
        for session in ("a", "b", "c"):
            await tell(pages.leave, session)
        await asyncio.sleep(0)

    run(work)
