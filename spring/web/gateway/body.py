"""Bound the bodies of requests while they arrive, and answer those that are refused."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_SECONDS = 30.0  # the longest that a call's body may take to arrive
DRAIN_BYTES, DRAIN_SECONDS = 16 * 2**20, 5.0


class RequestRefused(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Body:
    """A request's body, which knows whether all of it has arrived."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._complete = receive, False

    async def receive(self) -> Message:
        """Receive the next piece."""
        message = await self._receive()
        self._complete = not message.get("more_body")
        return message

    async def drain(self) -> None:
        """Read the rest of a refused body, within limits: a client that is still sending does not read the answer."""
        taken = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._complete and taken < DRAIN_BYTES:
                    taken += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def limited(app: ASGIApp, max_bytes: int) -> ASGIApp:
    """Limit the body that an application receives; a longer one is refused while it arrives.

    The limit is Starlette's, which counts the bytes and raises an exception in whoever reads them; the answer is ours.
    """

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        with _explained(max_bytes):
            await app(scope, receive, send)

    return RequestBodyLimitMiddleware(call, max_body_size=max_bytes)


@contextmanager
def _explained(max_bytes: int) -> Iterator[None]:
    try:
        yield
    except HTTPException as error:
        if error.status_code != 413:
            raise
        size = f"{max_bytes // 2**20} MB" if max_bytes >= 2**20 else f"{max_bytes // 2**10} KB"
        raise RequestRefused(413, f"The request is too long: at most {size}.") from None


async def read(scope: Scope, receive: Receive) -> bytes:
    """Read a whole body.

    Raises:
        RequestRefused: it took too long to arrive.

    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await Request(scope, receive).body()
    except TimeoutError:
        raise RequestRefused(408, "The request took too long to arrive: please try again.") from None


def replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already to the next reader."""
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pieces.pop() if pieces else await receive()

    return replayed
