"""Several visitors and one model: who waits, who is refused, and what frees it.

The model is paused while the queue is looked at, so an answer that is being written never ends by itself.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from gradio_client import Client

from benchmarks.visitor import TICKET, Visitor, text_of
from tests.support.servers import Server

QUESTION = "What is the secret word of the keeper?"
LONG = {"tokens": 256, "k": 50, "name": "Orlo station"}
SHORT = {"tokens": 8, "name": "Orlo station"}
NEXT = "Waiting: you are next."
SECOND = "Waiting: number 2 in the queue."
REFUSED = "Another request from your network address is waiting already: please try again when it is done."

Stream = AsyncIterator[tuple[str, str, str]]


async def first_word(stream: Stream) -> list[str]:
    """Read until the model writes; returns the lines of status before that."""
    seen = []
    async for status, cards, _ in stream:
        seen.append(text_of(status))
        if "first token" in cards:
            return seen
    raise AssertionError(seen)


async def waits(stream: Stream, place: str) -> None:
    """Read until the visitor waits at this place."""
    async for status, *_ in stream:
        if text_of(status) == place:
            return
    raise AssertionError(f"never: {place}")


async def last_status(stream: Stream) -> str:
    """Read to the end."""
    return [text_of(status) async for status, *_ in stream][-1]


def test_visitors_wait_in_their_order_and_see_their_place(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with (
            Visitor(server.url, "198.51.100.1") as first,
            Visitor(server.url, "198.51.100.2") as second,
            Visitor(server.url, "198.51.100.3") as third,
            Visitor(server.url, "198.51.100.2") as same_address,
        ):
            running = first.ask(QUESTION, **LONG)
            await first_word(running)
            with server.paused():
                waiting = second.ask(QUESTION, **SHORT)
                await waits(waiting, NEXT)
                behind = third.ask(QUESTION, **SHORT)
                await waits(behind, SECOND)
                assert (await same_address.answer(QUESTION, **SHORT))[0] == REFUSED
                await first.stop()
            last = [shown async for shown in running][-1]
            assert text_of(last[0]) == "Stopped."
            assert "cursor" not in last[1]
            assert (await last_status(waiting)).endswith("read before.")
            assert (await last_status(behind)).endswith("read before.")

    with_neighbour(attack)


@pytest.mark.parametrize("way", ["stop", "close", "lose the result stream", "ask again"])
def test_who_stops_or_leaves_frees_the_model(server: Server, with_neighbour, way: str) -> None:
    """The queue moves on while the answer is not finished; how fast is in tests/web/test_request_queue.py."""

    async def attack() -> None:
        async with (
            Visitor(server.url, "198.51.100.2") as second,
            Visitor(server.url, "198.51.100.3") as third,
            Visitor(server.url, "198.51.100.1") as first,
        ):
            running = first.ask(QUESTION, **LONG)
            await first_word(running)
            with server.paused():
                waiting = second.ask(QUESTION, **SHORT)
                await waits(waiting, NEXT)
                behind = third.ask(QUESTION, **SHORT)
                await waits(behind, SECOND)
                if way == "stop":
                    await first.stop()
                elif way == "close":
                    await first._stack.aclose()
                elif way == "lose the result stream":
                    await running.aclose()
                else:
                    await first.begin()
                await waits(behind, NEXT)  # the second is in front of the model now
            await first_word(waiting)
            await last_status(waiting)
            await last_status(behind)

    with_neighbour(attack)


async def join(visitor: Visitor) -> None:
    """Ask for a long answer, and read nothing of it."""
    inputs = {TICKET: await visitor.begin(), "question": QUESTION, "max_new_tokens": 256}
    (await visitor.join("compare_stream", **inputs)).raise_for_status()


def test_who_never_reads_does_not_hold_the_model(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as silent, Visitor(server.url, "198.51.100.2") as other:
            await join(silent)
            shown = [snapshot async for snapshot in other.ask(QUESTION, name="Orlo station")]
            assert not any("Waiting" in status for status, *_ in shown)
            assert "first token" in shown[-1][1]

    with_neighbour(attack)


def test_who_opens_the_stream_and_does_not_read_has_the_model_for_one_answer(server, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as lazy, Visitor(server.url, "198.51.100.2") as other:
            await join(lazy)
            stream = lazy.client.stream("GET", f"gradio_api/queue/data?session_hash={lazy.session}")
            async with stream as response:
                await anext(response.aiter_raw())  # it is there, and then it takes nothing more
                _, answers, _ = await other.answer(QUESTION, name="Orlo station")  # the model is free in the end
                assert all(answers)

    with_neighbour(attack)


def test_programs_wait_in_the_same_queue(server: Server, with_neighbour) -> None:
    def ask() -> dict[str, object]:
        client = Client(server.url, verbose=False)  # comes from 127.0.0.1
        try:
            return client.predict(question="Who?", collection="Orlo station", max_new_tokens=3, api_name="/compare")
        finally:
            client.close()

    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as first, Visitor(server.url, "198.51.100.2") as other:
            running = first.ask(QUESTION, **LONG)
            await first_word(running)
            with server.paused():
                asked = asyncio.create_task(asyncio.to_thread(ask))
                while text_of((await anext(behind := other.ask(QUESTION, name="Orlo station")))[0]) != SECOND:
                    await behind.aclose()
                await other.stop()
                assert not asked.done()
                await first.stop()
            result = await asked
            assert [answer["new_tokens"] for answer in result["answers"]] == [3, 3]

    with_neighbour(attack)
