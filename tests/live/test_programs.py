"""Programs call `/compare` by its name, as curl does, and assistants call it as a tool; the limits are the page's."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from benchmarks.visitor import OWN, TICKET, Visitor, text_of
from spring.web.gateway.calls import NO_CALL
from tests.live.conftest import reader
from tests.live.test_queue import LONG, NEXT, QUESTION, REFUSED, SECOND, Stream, first_word, last_status, waits
from tests.support.documentation import DOCUMENTED, python_examples
from tests.support.servers import HANG, Server

CALL, BY_NAME, MCP = "gradio_api/call/compare", "gradio_api/call/v2/compare", "gradio_api/mcp/"
ME = "198.51.100.1"
SHORT = {"question": "Who?", "virtual_tokens": 1, "collection": "Orlo station", "max_new_tokens": 1}
ENDLESS = SHORT | {"max_new_tokens": 256}


def program(server: Server, address: str = ME) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=HANG, headers={"X-Forwarded-For": address})


async def fetched(client: httpx.AsyncClient, answer: httpx.Response) -> tuple[str, Any]:
    """The last event of a call, and its data."""
    path = f"{CALL}/{answer.raise_for_status().json()['event_id']}"
    stream = (await client.get(path)).raise_for_status().text
    event, data = stream.strip().split("\n\n")[-1].split("\n")
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_call_takes_values_by_name_or_in_their_order(server: Server, with_neighbour, document) -> None:
    async def attack() -> None:
        async with program(server) as client:
            for path, values, new_tokens in ((BY_NAME, SHORT, 1), (CALL, {"data": ["Who?", 1]}, 50)):
                answer = await client.post(path, json=values)
                event, [result] = await fetched(client, answer)
                assert event == "complete"
                assert [answer["virtual_tokens"] for answer in result["answers"]] == [0, 1]
                assert [answer["new_tokens"] for answer in result["answers"]] == [new_tokens] * 2
                assert (await client.get(f"{CALL}/{answer.json()['event_id']}")).json()["detail"] == NO_CALL
            sent = await client.post(
                "gradio_api/upload", files={"files": ("a.txt", document("turquoise").read_bytes())}
            )
            asked = SHORT | {"question": "Which word?", "documents": [{"path": path} for path in sent.json()]}
            _, [result] = await fetched(client, await client.post(BY_NAME, json=asked))
            assert "turquoise" in result["passages"][0]["text"]

    with_neighbour(attack)


NUMBERS, FILES = "The settings must be numbers.", "`documents` must be a list of files that were uploaded, or null."
WRONG: list[tuple[str, Any, str]] = [
    ("question", " ", "Please type a question."),
    ("question", 7, "Please type a question."),
    ("question", {"a": 1}, "Please type a question."),
    ("question", "x" * 3000, "The question has 3,000 characters; at most 2,000."),
    ("virtual_tokens", "many", NUMBERS),
    ("virtual_tokens", [None], NUMBERS),
    ("virtual_tokens", -1, "The number of virtual tokens must be 0 to 1024."),
    ("passages", [3], NUMBERS),
    ("max_new_tokens", 10**9, "The longest answer must be 1 to 256 tokens, not 1000000000."),
    ("temperature", {}, NUMBERS),
    ("documents", "x", FILES),
    ("documents", ["/etc/passwd"], FILES),
    ("documents", [[]], FILES),
]
REFUSALS: list[tuple[str, dict[str, Any], int, str]] = [
    (BY_NAME, {"json": {"fn_index": 0}}, 400, "There is no parameter 'fn_index'; there are question, "),
    (BY_NAME, {"json": {"x" * 1000: 1}}, 400, f"There is no parameter '{'x' * 40}'; there are question, "),
    (BY_NAME, {"json": {"documents": [{"path": "/etc/passwd"}]}}, 400, "A file in this request was not uploaded"),
    (BY_NAME, {"json": [1]}, 400, "The request is not a JSON object."),
    (CALL, {"json": {}}, 400, '"data" must be a list of values for question, '),
    (CALL, {"json": {"data": list(range(99))}}, 400, '"data" must be a list of values for question, '),
    (
        CALL,
        {"json": {"data": [], "session_hash": "a/b"}},
        400,
        "The session's name must be 1 to 64 letters and digits.",
    ),
    (CALL, {"content": b"x" * 300_000}, 413, "The request is too long: at most 256 KB."),
    (MCP, {"content": b"x" * 300_000}, 413, "The request is too long: at most 256 KB."),
    (MCP, {"content": b"[" * 100_000}, 400, "The request is not valid JSON."),
    (MCP, {"json": [{}]}, 400, "The request is not a JSON object."),
    (MCP, {"json": {"params": [0] * 3000}}, 400, "The request has too many values: at most 2,000."),
]


def test_what_is_wrong_is_said_in_one_sentence(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with program(server) as client:
            for name, value, message in WRONG:
                event, data = await fetched(client, await client.post(BY_NAME, json=SHORT | {name: value}))
                assert (event, data["error"]) == ("error", message), name
            for path, request, status, message in REFUSALS:
                response = await client.post(path, **request)
                assert response.status_code == status, message
                assert response.json()["detail"].startswith(message)
            assert (await client.get(MCP)).status_code == 405
            assert (await client.delete(MCP)).status_code == 405

    with_neighbour(attack)


def test_nobody_fetches_what_another_asked(server: Server, with_neighbour, document) -> None:
    """Neither a page's answer by its event, nor into a session that a call names."""

    async def attack() -> None:
        async with reader(server, document("turquoise"), ME) as visitor, program(server, "198.51.100.2") as thief:
            page = {TICKET: await visitor.begin(), "question": QUESTION, "collection": OWN, "max_new_tokens": 4}
            asked = await visitor.join("compare_stream", **page)
            for event in (asked.json()["event_id"], "0" * 32):
                response = await thief.get(f"{CALL}/{event}")
                assert (response.status_code, response.json()["detail"]) == (404, NO_CALL)
            call = {"data": ["Who?", 1, 3, OWN], "session_hash": visitor.session}
            event, data = await fetched(thief, await thief.post(CALL, json=call))
            assert (event, data["error"]) == ("error", "Upload a document first, or choose a sample collection.")
            assert "turquoise" in str([outputs async for outputs in visitor.read()][-1])

    with_neighbour(attack)


def test_a_call_that_nobody_fetches_does_not_hold_the_model(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with program(server, "198.51.100.9") as client, Visitor(server.url, "198.51.100.2") as other:
            await other.answer(QUESTION, name="Orlo station")  # so that nobody from before is in the queue
            started = await client.post(BY_NAME, json=SHORT)
            await other.answer(QUESTION, name="Orlo station", tokens=1)
            event, _ = await fetched(client, started)
            assert event == "complete"  # so the other was answered while it waited, and not after it was dropped

    with_neighbour(attack)


@asynccontextmanager
async def assistant(server: Server) -> AsyncIterator[ClientSession]:
    async with (
        program(server) as client,
        streamable_http_client(f"{server.url}{MCP}", http_client=client) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        yield session


def test_an_assistant_calls_the_tool(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with assistant(server) as session:
            [tool] = (await session.list_tools()).tools
            assert tool.name == "compare"
            assert "Orlo station" in (tool.description or "")
            assert tool.inputSchema["properties"]["passages"]["maximum"] == 20
            assert "documents" not in tool.inputSchema["properties"]
            done = await session.call_tool("compare", SHORT)
            assert done.structuredContent is not None
            assert [answer["virtual_tokens"] for answer in done.structuredContent["answers"]] == [0, 1]
            for arguments, message in (
                ({"question": " "}, "Please type a question."),
                (SHORT | {"collection": "Atlantis"}, "There is no collection 'Atlantis'"),
                (SHORT | {"passages": 99}, "Input validation error: 99 is greater than the maximum of 20"),
                (SHORT | {"passages": "x"}, "Input validation error: 'x' is not of type 'integer'"),
                (SHORT | {"request": {}}, "Input validation error: Additional properties are not allowed"),
                (SHORT | {"documents": ["data:text/plain;base64,eA=="]}, "Input validation error: Additional prop"),
            ):
                refused = await session.call_tool("compare", arguments)
                assert refused.isError
                assert refused.content[0].text.startswith(message)
            assert (await session.call_tool("compare_stream", {})).isError

    with_neighbour(attack)


def test_the_documented_example_calls_the_tool(server: Server) -> None:
    [example] = [block for block in python_examples() if "mcp" in block]
    names: dict[str, Any] = {}
    with ThreadPoolExecutor(1) as own_loop:
        own_loop.submit(exec, example.replace(DOCUMENTED, server.url), names).result()
    assert "Edvard Quillane" in str(names["answered"].structuredContent["passages"])


def tool_call(arguments: dict[str, Any]) -> dict[str, Any]:
    """A request of an assistant, as it goes over the wire."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "compare", "arguments": arguments}}
    return {"json": call, "headers": {"Accept": "application/json, text/event-stream"}}


@asynccontextmanager
async def asking(client: httpx.AsyncClient, way: str) -> AsyncIterator[None]:
    """Ask for a long answer; leaving loses the connection."""
    if way == "assistant":
        stream = client.stream("POST", MCP, **tool_call(ENDLESS))
    else:
        event = (await client.post(BY_NAME, json=ENDLESS)).json()["event_id"]
        stream = client.stream("GET", f"{CALL}/{event}")
    async with stream as response:
        response.raise_for_status()
        yield


async def placed(visitor: Visitor, place: str) -> Stream:
    """Ask until what was begun before is ahead in the queue; whoever is first there would wait for nobody."""
    while True:
        stream = visitor.ask(QUESTION, name="Orlo station", tokens=2)
        if text_of((await anext(stream))[0]) == place:
            return stream
        await stream.aclose()


# Each from an address of its own: the call of a program that broke off may be in the queue for some time.
@pytest.mark.parametrize(("way", "address"), [("curl", "198.51.100.11"), ("assistant", "198.51.100.12")])
def test_a_program_that_breaks_off_frees_the_model(server: Server, with_neighbour, way: str, address: str) -> None:
    async def attack() -> None:
        async with (
            program(server, address) as client,
            Visitor(server.url, "198.51.100.2") as second,
            Visitor(server.url, "198.51.100.3") as third,
            AsyncExitStack() as connection,
        ):
            await connection.enter_async_context(asking(client, way))
            waiting = await placed(second, NEXT)  # the program has the model
            with server.paused():
                behind = await placed(third, SECOND)
                await connection.aclose()
                await waits(behind, NEXT)
            await last_status(waiting)
            await last_status(behind)

    with_neighbour(attack)


def test_one_address_has_one_call_waiting_whatever_it_claims(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with (
            Visitor(server.url, "198.51.100.2") as other,
            Visitor(server.url, "198.51.100.3") as third,
            program(server, "198.51.100.13") as client,
        ):
            running = other.ask(QUESTION, **LONG)
            await first_word(running)
            with server.paused():
                async with asking(client, "curl"):
                    behind = await placed(third, SECOND)  # the call waits
                    claims = {"X-Forwarded-For": "203.0.113.77, 198.51.100.13"}
                    request = tool_call(SHORT)
                    response = asyncio.create_task(
                        client.post(MCP, **request | {"headers": request["headers"] | claims})
                    )
                    assert REFUSED in (await response).text
                await other.stop()
            await last_status(running)
            await last_status(behind)

    with_neighbour(attack)
