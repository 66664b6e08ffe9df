"""Several visitors and one model: who waits, who is refused, and what frees it."""

import asyncio
import time

import pytest
from gradio_client import Client

from benchmarks.visitor import Visitor, text_of
from tests.live.conftest import reader
from tests.live.servers import Server

QUESTION = "What is the secret word of the keeper?"
LONG = {"tokens": 256, "k": 50}


async def first_word(stream):
    """Read until the model writes, and say after which line of status."""
    seen = []
    async for status, cards, _ in stream:
        seen.append(text_of(status))
        if "first token" in cards:
            return seen
    return seen


async def refused(server: Server, address: str, count: int = 1) -> None:
    async with Visitor(server.url, address) as visitor:
        status, _, _ = await visitor.answer(QUESTION, name="Orlo station")
        assert status == (
            "Another request from your network address is waiting already: please try again when it is done."
        )


def test_an_answer_is_cut_after_the_seconds_that_it_may_take(server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with reader(server, document("turquoise"), "198.51.100.1") as visitor:
            started = time.monotonic()
            status, answers, _ = await visitor.answer(QUESTION, **LONG)
            assert 3.9 < time.monotonic() - started < 6  # so that what the tests below wait for is not this
            assert status == "An answer may take 4 seconds, and they are over; what is written is kept."
            assert all(answers)

    with_neighbour(attack)


def test_visitors_wait_in_their_order_and_see_their_place(server, document, with_neighbour) -> None:
    async def attack() -> None:
        file = document("turquoise")
        async with (
            reader(server, file, "198.51.100.1") as first,
            reader(server, file, "198.51.100.2") as second,
            reader(server, file, "198.51.100.3") as third,
        ):
            running = first.ask(QUESTION, **LONG)
            await first_word(running)
            waiting = second.ask(QUESTION, tokens=8)
            assert text_of((await anext(waiting))[0]) == "Waiting: you are next."
            behind = third.ask(QUESTION, tokens=8)
            assert text_of((await anext(behind))[0]) == "Waiting: number 2 in the queue."
            await refused(server, "198.51.100.2")
            await first.stop()
            last = [shown async for shown in running][-1]
            assert text_of(last[0]) == "Stopped."
            assert "cursor" not in last[1]
            assert [text_of(status) async for status, *_ in waiting][-1].endswith("read before.")
            assert [text_of(status) async for status, *_ in behind][-1].endswith("read before.")

    with_neighbour(attack)


@pytest.mark.parametrize("way", ["stop", "close", "lose the result stream", "ask again"])
def test_who_stops_or_leaves_frees_the_model_within_two_seconds(server, document, with_neighbour, way: str) -> None:
    async def attack() -> None:
        file = document("turquoise")
        second_reader, first_reader = (reader(server, file, f"198.51.100.{number}") for number in (2, 1))
        async with second_reader as second, first_reader as first:
            running = first.ask(QUESTION, **LONG)
            await first_word(running)
            waiting = second.ask(QUESTION, tokens=8)
            await anext(waiting)
            started = time.monotonic()
            if way == "stop":
                await first.stop()
            elif way == "close":
                await first._stack.aclose()
            elif way == "lose the result stream":
                await running.aclose()
            else:
                await first.call("begin_2")
            await first_word(waiting)
            assert time.monotonic() - started < 2
            async for _ in waiting:
                pass

    with_neighbour(attack)


async def join(visitor: Visitor) -> None:
    """Ask for a long answer, and read nothing of it."""
    ticket = (await visitor.call("begin_2"))[0]
    settings = (QUESTION, "Orlo station", 50, 3, False, "", 256, 0)
    (await visitor.join("ask", ticket, *settings)).raise_for_status()


def test_who_never_reads_does_not_hold_the_model(server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as silent, Visitor(server.url, "198.51.100.2") as other:
            await join(silent)
            started = time.monotonic()
            _, answers, _ = await other.answer(QUESTION, name="Orlo station")
            assert time.monotonic() - started < 3.5  # alone it would hold the model for 4
            assert all(answers)

    with_neighbour(attack)


def test_who_opens_the_stream_and_does_not_read_has_the_model_for_one_answer(server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as lazy, Visitor(server.url, "198.51.100.2") as other:
            await join(lazy)
            stream = lazy.client.stream("GET", f"gradio_api/queue/data?session_hash={lazy.session}")
            async with stream as response:
                await anext(response.aiter_raw())  # it is there, and then it takes nothing more
                started = time.monotonic()
                _, answers, _ = await other.answer(QUESTION, name="Orlo station")
                assert time.monotonic() - started < 6  # it may have the model for 4, as any other visitor
                assert all(answers)

    with_neighbour(attack)


def test_programs_wait_in_the_same_queue(server, document, with_neighbour) -> None:
    def ask() -> dict[str, object]:
        client = Client(server.url, verbose=False)  # comes from 127.0.0.1
        try:
            return client.predict(question="Who?", collection="Orlo station", max_new_tokens=3, api_name="/compare")
        finally:
            client.close()

    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as first:
            running = first.ask(QUESTION, name="Orlo station", **LONG)
            await first_word(running)
            asked = asyncio.create_task(asyncio.to_thread(ask))
            await asyncio.sleep(0.5)
            assert not asked.done()
            await first.stop()
            result = await asked
            assert [answer["new_tokens"] for answer in result["answers"]] == [3, 3]

    with_neighbour(attack)
