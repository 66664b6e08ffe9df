"""Let in only what the page needs, before Gradio sees it: few routes, bounded bodies, no foreign paths or addresses.

Gradio's own server has more routes than this page needs: it fetches addresses that a visitor sends as a file, proxies,
shows its monitoring, writes deep links. Every route that is not in the table is answered with 404.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from spring.web.gateway.body import Body, RequestRefused, limited, read, replay
from spring.web.gateway.calls import Calls
from spring.web.gateway.headers import SecuredResponse
from spring.web.gateway.heartbeat import Heartbeats
from spring.web.gateway.upload import NAME, Receiver, query
from spring.web.visitors.connections import Connections
from spring.web.visitors.uploads import Uploads

API = "/gradio_api"
MCP = f"{API}/mcp"
CALL = f"{API}/call/compare"  # the one endpoint that programs call by its name
MAX_BODY = 256 * 2**10  # bytes of a call: some numbers and a question
MAX_VALUES = 2_000  # in a call: 50 files have some 500
NOT_FOUND = "There is nothing at this address."

# The requests that the page, gradio_client, and programs such as curl make.
ROUTES = (
    ("GET", r"/"),
    ("GET", r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"),
    ("GET", r"/(assets|static)/.*"),
    ("GET", rf"{API}/(info|app_id|startup-events|theme\.css|queue/data|upload_progress)"),
    ("GET", rf"{API}/heartbeat/[\w-]{{1,64}}"),
    ("POST", rf"{API}/heartbeat/[\w-]{{1,64}}"),
    ("GET", rf"{API}/file=.*"),
    ("POST", rf"{API}/(queue/join|run/predict|cancel|reset)/?"),
    ("POST", rf"{API}/upload"),
    ("POST", rf"{API}/call/(v2/)?compare/?"),
    ("GET", rf"{API}/call/(v2/)?compare/[0-9a-f]{{32}}"),
)
_ROUTES = [(method, re.compile(path)) for method, path in ROUTES]


class GatewayLimits(NamedTuple):
    """What may be sent and called."""

    upload: int  # bytes of one request
    file: int  # bytes of one file
    direct: frozenset[int]  # handlers that are called directly
    queued: frozenset[int]  # handlers that are called through Gradio's queue
    parameters: Mapping[str, Any]  # of the endpoint that is called by its name: defaults


class Gateway:
    """The ASGI middleware in front of Gradio's application.

    Args:
        app: Gradio's application.
        connections: told who is here.
        uploads: where uploaded files are.
        limits: what may be sent and called.
        mcp: what answers assistants, if anything does.

    """

    def __init__(
        self,
        app: ASGIApp,
        connections: Connections,
        uploads: Uploads,
        limits: GatewayLimits,
        mcp: ASGIApp | None = None,
    ) -> None:
        self._app, self._connections, self._uploads, self._limits = app, connections, uploads, limits
        self._mcp = mcp
        self._receiver = Receiver(uploads, limits.upload, limits.file)
        self._heartbeats = Heartbeats(app)
        self._calls = Calls(app, connections, CALL, limits.parameters)
        self._upload = limited(self._receiver.answer, limits.upload)
        self._call = limited(self._check_and_call, MAX_BODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it with one sentence."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no part of the page uses WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        nonce = secrets.token_urlsafe(16)
        send, body = SecuredResponse(send, nonce).send, Body(receive)
        try:
            await self._let_in(scope, body.receive, send)
        except ClientDisconnect:
            return
        except RequestRefused as refusal:
            await body.drain()
            answer = JSONResponse({"detail": refusal.message}, refusal.status, headers={"Connection": "close"})
            await answer(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"].replace("HEAD", "GET"), scope["path"]
        if self._mcp and path.removesuffix("/") == MCP:
            if method != "POST":  # the protocol's word for a server that sends nothing by itself
                raise RequestRefused(405, "Assistants send their requests here by POST.")
            await self._call(scope, receive, send)
            return
        if not any(method == known and pattern.fullmatch(path) for known, pattern in _ROUTES):
            raise RequestRefused(404, NOT_FOUND)
        if path == f"{API}/upload":
            await self._upload(scope, receive, send)
        elif path.startswith(f"{API}/heartbeat/") and (method == "POST" or scope["query_string"] == b"beat"):
            tell = self._heartbeats.leave if method == "POST" else self._heartbeats.beat
            await tell(path.rpartition("/")[2], scope, receive, send)
        elif method == "POST":
            await self._call(scope, receive, send)
        elif path == f"{API}/queue/data":
            session = query(scope, "session_hash")
            if not NAME.fullmatch(session):
                raise RequestRefused(404, "There is no such session.")
            with self._connections.here(session):
                await self._app(scope, receive, send)
        elif path.startswith(f"{API}/call/"):
            await self._calls.fetch(path.rpartition("/")[2], scope, receive, send)
        elif path == f"{API}/upload_progress":
            await self._receiver.report_progress(scope, receive, send, self._app)
        elif path.startswith(f"{API}/file=") and not self._is_served(path.partition("=")[2]):
            raise RequestRefused(404, "There is no such file.")
        else:
            await self._app(scope, receive, send)

    def _is_served(self, path: str) -> bool:
        """Whether a file was made for visitors; uploads were not."""
        parts = os.path.normpath(path)
        inside = parts == path and parts.startswith(f"{self._uploads.folder}{os.sep}")
        return inside and not parts.startswith(str(self._uploads.received))

    async def _check_and_call(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(scope, receive)
        call = self._check(body, scope["path"])
        if scope["path"].startswith(f"{API}/call/"):
            await self._calls.start(call, scope, receive, send)
            return
        if scope["path"].startswith(MCP) and self._mcp:
            visitor = secrets.token_hex(16)  # each call is a visitor of its own, connected until it is answered
            scope["state"] = {**scope.get("state", {}), "visitor": visitor}
            with self._connections.here(visitor):
                await self._mcp(scope, replay(body, receive), send)
            return
        await self._app(scope, replay(body, receive), send)

    def _check(self, body: bytes, path: str) -> dict[str, Any]:
        """Refuse what no page sends: Gradio would fetch a file's address, or trust what it finds in the call."""
        try:
            call = json.loads(body)
            found = list(_objects(call))
            json.dumps(call, ensure_ascii=False).encode()  # fails on an unpaired surrogate
        except (ValueError, RecursionError):
            raise RequestRefused(400, "The request is not valid JSON.") from None
        if not isinstance(call, dict):
            raise RequestRefused(400, "The request is not a JSON object.")
        session = call.get("session_hash")
        if session is not None and not (isinstance(session, str) and NAME.fullmatch(session)):
            raise RequestRefused(400, "The session's name must be 1 to 64 letters and digits.")
        function, known = call.get("fn_index"), self._functions(path)
        if known is not None and not (isinstance(function, int) and function in known):
            raise RequestRefused(400, "Unknown endpoint; please reload the page.")
        for value in found:
            if "path" in value and not (isinstance(value["path"], str) and self._uploads.owns(value["path"])):
                raise RequestRefused(400, "A file in this request was not uploaded here; please upload it.")
        return call

    def _functions(self, path: str) -> frozenset[int] | None:
        """Which handlers may be called through a route; None if it calls none."""
        by_route = {f"{API}/run/predict": self._limits.direct, f"{API}/queue/join": self._limits.queued}
        return by_route.get(path.removesuffix("/"))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a JSON value.

    Raises:
        RequestRefused: it has more values than any call of the page: two bytes of the body can become an object of 64.

    """
    waiting, seen = [value], 0
    while waiting:
        value, seen = waiting.pop(), seen + 1
        if seen > MAX_VALUES:
            raise RequestRefused(400, f"The request has too many values: at most {MAX_VALUES:,}.")
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
