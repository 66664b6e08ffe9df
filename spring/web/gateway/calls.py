"""Calls of programs that keep no session: one request starts a call, another one fetches its result.

`POST /gradio_api/call/compare` takes the values in their order, `POST /gradio_api/call/v2/compare` by name; both answer
with an event's id, and `GET /gradio_api/call/compare/ID` streams the result, once. Gradio names the call's session like
the event, which is random, so each call is a visitor of its own.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spring.web.gateway.body import RequestRefused, replay
from spring.web.visitors.connections import Connections
from spring.web.visitors.request_queue import FIRST_CONNECTION

CLOCK = time.monotonic
STARTED = 1000  # calls whose results were not yet fetched
NO_CALL = f"There is no such call: a result is fetched once, at most {FIRST_CONNECTION:g} seconds after the call."


class Calls:
    """Start calls and fetch their results.

    Args:
        app: Gradio's application.
        connections: who fetches a result is connected meanwhile; who breaks off ends the call.
        path: of the call, where the values are sent in their order.
        parameters: defaults by name, in order; None if there is no default.

    """

    def __init__(self, app: ASGIApp, connections: Connections, path: str, parameters: Mapping[str, Any]) -> None:
        self._app, self._connections, self._path, self._parameters = app, connections, path, parameters
        self._started: OrderedDict[str, float] = OrderedDict()  # event ids, oldest first

    async def start(self, call: dict[str, Any], scope: Scope, receive: Receive, send: Send) -> None:
        """Start a call, whose body was checked already; its session is a new one, whatever the caller names."""
        values = self._values(call, by_name="/v2/" in scope["path"])
        answer = bytearray()

        async def noting(message: Message) -> None:
            answer.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._note(bytes(answer))
            await send(message)

        headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        scope = {**scope, "path": self._path, "raw_path": self._path.encode(), "headers": headers}
        await self._app(scope, replay(json.dumps({"data": values}).encode(), receive), noting)

    async def fetch(self, event: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the result of a call.

        Raises:
            RequestRefused: there is no such call, or its result was fetched before.

        """
        self._drop_old()
        if self._started.pop(event, None) is None:
            raise RequestRefused(404, NO_CALL)
        with self._connections.here(event):
            await self._app(scope, receive, send)

    def _values(self, call: dict[str, Any], by_name: bool) -> list[Any]:
        """The value of every parameter, in order."""
        names = ", ".join(self._parameters)
        if by_name:
            if unknown := sorted(call.keys() - self._parameters.keys()):
                raise RequestRefused(400, f"There is no parameter {unknown[0][:40]!r}; there are {names}.")
            return list({**self._parameters, **call}.values())
        values = call.get("data")
        if not isinstance(values, list) or len(values) > len(self._parameters):
            raise RequestRefused(400, f'"data" must be a list of values for {names}, in this order.')
        return [*values, *list(self._parameters.values())[len(values) :]]

    def _note(self, answer: bytes) -> None:
        """Remember the event's id that Gradio answered with, if it did."""
        try:
            event = json.loads(answer)["event_id"]
        except (ValueError, KeyError, TypeError):
            return
        self._started[event] = CLOCK()
        self._drop_old()

    def _drop_old(self) -> None:
        """Forget calls whose results nobody has fetched: the request queue has dropped them as well."""
        while self._started and (
            len(self._started) > STARTED or next(iter(self._started.values())) < CLOCK() - FIRST_CONNECTION
        ):
            self._started.popitem(last=False)
