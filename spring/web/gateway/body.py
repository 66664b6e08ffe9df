"""The bodies of requests, bounded while they come in, and what is said of those that are not let in."""

import asyncio

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

BODY_SECONDS = 30.0  # the longest that a call's body may take to come in
DRAIN_BYTES, DRAIN_SECONDS = 16 * 2**20, 5.0


class RequestRefused(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Body:
    """A request's body, of which it is known whether it has come in."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._complete = receive, False

    async def receive(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self._complete = not message.get("more_body")
        return message

    async def drain(self) -> None:
        """Take the rest of a body that was refused, within limits: who still sends does not hear the answer."""
        taken = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._complete and taken < DRAIN_BYTES:
                    taken += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


class Bounded:
    """A request's body, as it comes in, up to a number of bytes."""

    def __init__(self, receive: Receive, scope: Scope, most: int) -> None:
        self._receive, self._most = receive, most
        length = Headers(scope=scope).get("content-length", str(most))
        if not length.isdecimal() or int(length) > most:
            self._refuse()
        self.length = self._left = int(length)  # no more than was stated comes in

    async def receive(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self._refuse()
        return message

    def _refuse(self) -> None:
        size = f"{self._most // 2**20} MB" if self._most >= 2**20 else f"{self._most // 2**10} KB"
        raise RequestRefused(413, f"The request is too long: {size} are the most.")


async def read(receive: Receive, scope: Scope, most: int) -> bytes:
    """A whole body."""
    request = Request(scope, Bounded(receive, scope, most).receive)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise RequestRefused(408, "The request took too long to come in: please try again.") from None


def replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for who reads it next."""
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pieces.pop() if pieces else await receive()

    return replayed
