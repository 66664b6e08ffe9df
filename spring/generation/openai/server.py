"""Talk HTTP to a server with OpenAI's completions: retries, time-outs, and every failure as a sentence."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from spring.errors import BackboneError, ModelError, PromptError, SpringError
from spring.generation.openai.events import NONSENSE, events, parsed

RETRIES = 4  # after the first attempt, and only before the first token
PAUSE = 0.5  # seconds before the first retry; each further pause is twice as long
LONGEST_PAUSE = 5.0
MOST_BYTES = 2**26  # of an answer that is no stream: the log-probabilities of a prompt
# A request may wait on the server for those before it; between two tokens nothing takes so long.
TIMEOUT = httpx.Timeout(connect=5.0, read=120.0, write=10.0, pool=60.0)
LIMITS = httpx.Limits(max_connections=512, max_keepalive_connections=64, keepalive_expiry=4.0)
LARGEST_PORT = 65_535
_BUSY = (429, 503)
_ENDS = (None, "", "stop", "length")  # vLLM also has "abort" and "error"
_HOST = re.compile(r"[\w.:-]+")
_UNREACHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

UNREACHABLE = "The model's server cannot be reached: please ask again in a minute."
BROKEN_OFF = "The model's server broke off before the answer was complete: please ask again."
SLOW = "The model's server did not answer in time: please ask again."
BUSY = "The model's server has too much to do: please ask again in a minute."
KEY = "The model's server refuses the key: the owner sets the right one in SPRING_ENGINE_KEY."
TOO_LONG = "The question and its passages are too long for the model's server: use fewer passages or a shorter answer."


class UnreachableError(ModelError):
    """There is no connection to the server now; there may be one later."""


class RefusedError(ModelError):
    """The server does not take this request."""


@dataclass(frozen=True)
class ModelServer:
    """A server's address and key, and one client for all requests; its methods run on one event loop.

    Args:
        url: up to `/v1`; without a path that is added.
        key: what the server asks for; empty: nothing.

    Raises:
        BackboneError: the address is none, or holds a name, a password or a query.

    """

    url: str
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.url)
        except (httpx.InvalidURL, TypeError) as error:
            raise BackboneError("The engine's address is no address: write http://HOST:PORT/v1.") from error
        secret, port = url.userinfo or url.query or url.fragment, url.port or 0
        if url.scheme not in ("http", "https") or not _HOST.fullmatch(url.host) or secret or port > LARGEST_PORT:
            raise BackboneError(
                "The engine's address must be http://HOST:PORT/v1, without name, password or query; the key belongs "
                "into SPRING_ENGINE_KEY."
            )
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            raise BackboneError("SPRING_ENGINE_KEY must be one word of ASCII characters.")
        path = url.path.rstrip("/")
        object.__setattr__(self, "url", str(url.copy_with(path=path or "/v1")))

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """The client of all requests, with the key."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.AsyncClient(headers=headers, timeout=TIMEOUT, limits=LIMITS)

    async def close(self) -> None:
        """End all connections."""
        await self.client.aclose()

    async def models(self) -> list[dict[str, Any]]:
        """What the server offers."""
        async with self._begun("GET", "/models", None) as response:
            found = parsed(await _whole(response)).get("data")
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise ModelError(NONSENSE)
        return found

    async def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """The only choice of a completion that comes at once."""
        async with self._begun("POST", "/completions", request) as response:
            return _choice(parsed(await _whole(response)))

    async def stream(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The pieces of a completion's only choice; to close the iterator ends the request on the server."""
        ended = False
        async with self._begun("POST", "/completions", request | {"stream": True}) as response:
            try:
                async for event in events(response.aiter_bytes()):
                    if event.get("error"):
                        raise ModelError(BROKEN_OFF)
                    if event.get("choices"):  # else the usage, which some send last
                        choice = _choice(event)
                        ended = ended or bool(choice.get("finish_reason"))
                        yield choice
            except httpx.HTTPError as error:
                if not ended:  # else the answer is whole, whatever comes after it
                    raise _broken_off(error) from error
            except ModelError:
                if not ended:
                    raise
        if not ended:
            raise ModelError(BROKEN_OFF)

    @asynccontextmanager
    async def _begun(self, method: str, path: str, body: dict[str, Any] | None) -> AsyncIterator[httpx.Response]:
        """A response whose head is a success; tried again while the server cannot be reached or is busy."""
        for attempt in range(RETRIES + 1):
            last = attempt == RETRIES
            request = self.client.build_request(method, self.url + path, json=body)
            try:
                response = await self.client.send(request, stream=True)
            except _UNREACHED as error:
                if last:
                    raise UnreachableError(UNREACHABLE) from error
            except httpx.TimeoutException as error:
                raise ModelError(SLOW) from error
            except httpx.HTTPError as error:
                raise UnreachableError(UNREACHABLE) from error
            else:
                try:
                    if response.is_success:
                        yield response
                        return
                    if response.status_code not in _BUSY or last:
                        raise _failure(response.status_code, await _start(response))
                finally:
                    await response.aclose()
            await asyncio.sleep(min(LONGEST_PAUSE, PAUSE * 2**attempt) * random.uniform(0.8, 1.2))  # not all at once


async def _start(response: httpx.Response) -> str:
    """The beginning of a refusal's text."""
    try:
        async for piece in response.aiter_bytes(4096):
            return piece.decode("utf-8", "replace").lower()
    except httpx.HTTPError:
        return ""
    return ""


async def _whole(response: httpx.Response) -> bytes:
    """The body of an answer, of a bounded size."""
    body = bytearray()
    try:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                raise ModelError(NONSENSE)
    except httpx.HTTPError as error:
        raise _broken_off(error) from error
    return bytes(body)


def _broken_off(error: httpx.HTTPError) -> ModelError:
    """What to say of an answer that did not come to its end."""
    return ModelError(SLOW if isinstance(error, httpx.ReadTimeout) else BROKEN_OFF)


def _failure(status: int, text: str) -> SpringError:
    """What a status says; the server's own words are only looked at, as they may hold anything."""
    if status in (401, 403):
        return BackboneError(KEY)
    if status == 404:
        return BackboneError(
            "The server has no such model or address: check the engine's address and SPRING_ENGINE_MODEL."
        )
    if status in _BUSY:
        return ModelError(BUSY)
    if status in (400, 413, 422) and ("context" in text or "too long" in text or "maximum" in text):
        return PromptError(TOO_LONG)
    return RefusedError(f"The model's server failed on this question (status {status}): please ask again.")


def _choice(found: dict[str, Any]) -> dict[str, Any]:
    choices = found.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise ModelError(NONSENSE)
    choice: dict[str, Any] = choices[0]
    ids, stop = choice.get("token_ids"), choice.get("stop_reason")  # an id or a text that ended it
    if not isinstance(choice.get("text", ""), str) or not (ids is None or _are_ids(ids)):
        raise ModelError(NONSENSE)
    if not isinstance(stop, str | int | None):
        raise ModelError(NONSENSE)
    if choice.get("finish_reason") not in _ENDS:
        raise ModelError(BROKEN_OFF)
    return choice


def _are_ids(ids: object) -> bool:
    return isinstance(ids, list) and all(type(id) is int and 0 <= id < 2**31 for id in ids)
