"""A visitor of the page without a browser, who sends the same requests in the same order; many can run at once."""

import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
from gradio_client.utils import apply_diff

API = "gradio_api"
OWN = "Your documents"
TICKET = "compare_ticket"
Outputs = dict[str, Any]
_ANSWER = re.compile(r'<div class="answer"[^>]*>(.*?)</div>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def text_of(fragment: str) -> str:
    """What an HTML fragment shows."""
    return html.unescape(_TAG.sub("", fragment)).strip()


def answers_of(cards: str) -> list[str]:
    """The texts of the answers on the page."""
    return [text_of(answer) for answer in _ANSWER.findall(cards)]


class Handler(NamedTuple):
    """One of the page's event handlers; components go by their `elem_id`, those that have none by their number."""

    number: int
    inputs: dict[str, Any]  # values on a page just opened
    outputs: list[str]

    def data(self, inputs: Mapping[str, Any]) -> list[Any]:
        """The values to send."""
        if unknown := inputs.keys() - self.inputs.keys():
            raise KeyError(f"no input {sorted(unknown)}: there are {sorted(self.inputs)}")
        return list((self.inputs | {**inputs}).values())

    def named(self, outputs: list[Any]) -> Outputs:
        """What came, by name."""
        return dict(zip(self.outputs, outputs, strict=False))


def handlers_of(config: dict[str, Any]) -> dict[str, Handler]:
    """The handlers in Gradio's configuration of a page, by name."""
    props = {component["id"]: component["props"] for component in config["components"]}
    names = {number: values.get("elem_id") or str(number) for number, values in props.items()}
    return {
        call["api_name"]: Handler(
            call["id"],
            {names[number]: props[number].get("value") for number in call["inputs"]},
            [names[number] for number in call["outputs"]],
        )
        for call in config["dependencies"]
        if call["api_name"]
    }


class Visitor:
    """One session. Entering it opens the page, leaving it closes the tab.

    Args:
        url: of the page, with a slash at its end.
        address: the network address to come from; the server believes it because we come from its own machine.

    """

    def __init__(self, url: str, address: str = "203.0.113.1") -> None:
        self.session = secrets.token_hex(6)
        self.client = httpx.AsyncClient(
            base_url=url, timeout=120, headers={"X-Forwarded-For": address}, limits=httpx.Limits(max_connections=None)
        )
        self._stack = AsyncExitStack()
        self.handlers: dict[str, Handler] = {}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.client)
        config = (await self.client.get("config")).raise_for_status().json()
        self.handlers = handlers_of(config)
        beat = self.client.stream("GET", f"{API}/heartbeat/{self.session}")
        await self._stack.enter_async_context(beat)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Post any call, with the session's name."""
        return await self.client.post(f"{API}/{path}", json={"session_hash": self.session, **fields})

    async def call(self, name: str, **inputs: Any) -> Outputs:
        """Call a handler that answers at once; inputs that are not given are those of a page just opened."""
        handler = self.handlers[name]
        response = await self.post("run/predict", fn_index=handler.number, data=handler.data(inputs))
        return handler.named(response.raise_for_status().json()["data"])

    async def join(self, name: str, **inputs: Any) -> httpx.Response:
        """Start a handler that streams; nothing is read yet."""
        handler = self.handlers[name]
        return await self.post("queue/join", fn_index=handler.number, data=handler.data(inputs))

    async def read(self) -> AsyncIterator[list[Any]]:
        """Yield the outputs of the one handler that was started, snapshot by snapshot.

        Raises:
            RuntimeError: it failed; what the page would show.

        """
        outputs: list[Any] = []
        async with self.client.stream("GET", f"{API}/queue/data", params={"session_hash": self.session}) as stream:
            async for line in stream.raise_for_status().aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                output = message.get("output") or {}
                if message["msg"] == "process_completed" and not message["success"]:
                    raise RuntimeError(output.get("error") or "failed")
                if message["msg"] == "process_generating" and outputs:
                    outputs = [apply_diff(old, new) for old, new in zip(outputs, output["data"], strict=True)]
                    yield outputs
                elif message["msg"] in ("process_generating", "process_completed") and output.get("data"):
                    outputs = output["data"]
                    yield outputs
                if message["msg"] in ("process_completed", "unexpected_error"):
                    return

    async def stream(self, name: str, **inputs: Any) -> AsyncIterator[Outputs]:
        """Start a handler; yield what the page shows, with what it showed before, whenever something comes."""
        (await self.join(name, **inputs)).raise_for_status()
        shown: Outputs = {}
        async for outputs in self.read():
            shown |= {
                name: new for name, new in self.handlers[name].named(outputs).items() if not isinstance(new, dict)
            }
            yield dict(shown)

    async def upload(self, *files: Path) -> list[dict[str, Any]]:
        """Send files; returns what a call names them by."""
        return [named for file in files for named in await self.send(file.name, file.read_bytes())]

    async def send(self, name: str, data: bytes) -> list[dict[str, Any]]:
        """Send a file of any name and content; returns what a call names it by."""
        response = await self.client.post(f"{API}/upload", files=[("files", (name, data))])
        meta = {"orig_name": Path(name).name, "meta": {"_type": "gradio.FileData"}}
        return [{"path": path} | meta for path in response.raise_for_status().json()]

    async def add_documents(self, *files: Path) -> str:
        """Upload files and have them read; returns the lines below the box."""
        return await self.read_uploads(await self.upload(*files))

    async def read_uploads(self, files: list[dict[str, Any]]) -> str:
        """Have uploaded files read; returns the lines below the box."""
        shown: Outputs = {}
        async for shown in self.stream("upload", upload=files):  # noqa: B007  # the last one is wanted
            pass
        return text_of(shown["files"])

    async def begin(self) -> float:
        """Press Compare; returns the ticket of the request, of which nothing is asked yet."""
        return float((await self.call("compare_begin"))[TICKET])

    async def compare(self, **inputs: Any) -> AsyncIterator[Outputs]:
        """Press Compare and yield what the page shows."""
        async for shown in self.stream("compare_stream", **{TICKET: await self.begin(), **inputs}):
            yield shown

    async def ask(
        self, question: str, name: str = OWN, tokens: int = 8, **inputs: Any
    ) -> AsyncIterator[tuple[str, str, str]]:
        """Press Compare; yields status, answers and passages as HTML whenever they change.

        Args:
            question: what to ask.
            name: of the collection.
            tokens: of the longest answer.
            inputs: others that are changed.

        """
        before = None
        inputs = {"question": question, "collection": name, "max_new_tokens": tokens, "expected": ""} | inputs
        async for shown in self.compare(**inputs):
            now = tuple(shown.get(name, "") for name in ("status", "answers", "passages"))
            if now != before:
                before = now
                yield now

    async def answer(self, question: str, **inputs: Any) -> tuple[str, list[str], str]:
        """Press Compare and wait; returns the status' text, the answers' texts, and the passages' HTML."""
        status = cards = passages = ""
        async for status, cards, passages in self.ask(question, **inputs):  # noqa: B007  # the last one is wanted
            pass
        return text_of(status), answers_of(cards), passages

    async def stop(self) -> None:
        """Press Stop."""
        await self.call("compare_stop")
