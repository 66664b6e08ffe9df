"""A visitor of the page without a browser: the same requests in the same order, many of them at once."""

import html
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import httpx
from gradio_client.utils import apply_diff

API = "gradio_api"
OWN = "Your documents"
_ANSWER = re.compile(r'<div class="answer"[^>]*>(.*?)</div>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def text_of(fragment: str) -> str:
    """What an HTML fragment shows."""
    return html.unescape(_TAG.sub("", fragment)).strip()


def answers_of(cards: str) -> list[str]:
    """The texts of the answers on the page."""
    return [text_of(answer) for answer in _ANSWER.findall(cards)]


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
        self.functions: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.client)
        config = (await self.client.get("config")).raise_for_status().json()
        self.functions = {function["api_name"]: function["id"] for function in config["dependencies"]}
        beat = self.client.stream("GET", f"{API}/heartbeat/{self.session}")
        await self._stack.enter_async_context(beat)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Any call, with the session's name."""
        return await self.client.post(f"{API}/{path}", json={"session_hash": self.session, **fields})

    async def call(self, name: str, *data: Any) -> list[Any]:
        """A handler that answers at once."""
        response = await self.post("run/predict", fn_index=self.functions[name], data=data)
        return list(response.raise_for_status().json()["data"])

    async def join(self, name: str, *data: Any) -> httpx.Response:
        """Start a handler that streams; nothing is read yet."""
        return await self.post("queue/join", fn_index=self.functions[name], data=data)

    async def read(self) -> AsyncIterator[list[Any]]:
        """The outputs of the one handler that was started, snapshot by snapshot.

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

    async def stream(self, name: str, *data: Any) -> AsyncIterator[list[Any]]:
        """Start a handler and read what comes."""
        (await self.join(name, *data)).raise_for_status()
        async for outputs in self.read():
            yield outputs

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
        lines = ""
        async for outputs in self.stream("upload", await self.upload(*files)):
            lines = outputs[2] if isinstance(outputs[2], str) else lines
        return text_of(lines)

    async def ask(
        self, question: str, name: str = OWN, k: int = 50, passages: int = 3, tokens: int = 8, told: bool = False
    ) -> AsyncIterator[tuple[str, str, str]]:
        """Press Compare; yields status, answers and passages as HTML whenever they change."""
        ticket = (await self.call("begin_2"))[0]
        shown = ["", "", ""]
        async for outputs in self.stream("ask", ticket, question, name, k, passages, told, "", tokens, 0):
            news = [new if isinstance(new, str) else old for old, new in zip(shown, outputs, strict=False)]
            if news != shown:
                shown = news
                yield news[0], news[1], news[2]

    async def answer(self, question: str, **settings: Any) -> tuple[str, list[str], str]:
        """Press Compare and wait; returns the status' text, the answers' texts, and the passages' HTML."""
        status = cards = passages = ""
        async for status, cards, passages in self.ask(question, **settings):  # noqa: B007  # the last one is wanted
            pass
        return text_of(status), answers_of(cards), passages

    async def stop(self) -> None:
        """Press Stop."""
        await self.call("stop_2")
