"""What the server lets in, before Gradio sees it: few routes, bounded bodies, no paths or addresses of others.

Gradio's own server has more doors than this page needs: it fetches addresses that a visitor sends as a file,
proxies, shows its monitoring, writes deep links. Here every route that is not in the table is not there.
"""

import asyncio
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gradio import route_utils
from gradio.routes import file_upload_statuses
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spring.errors import BusyError
from spring.inputs import visitor_of
from spring.limits import LIMITS
from spring.presence import Presence
from spring.sessions import SHARE
from spring.uploads import FULL, Uploads

API = "/gradio_api"
LONGEST_BODY = 256 * 2**10  # bytes of a call: some numbers and a question
MOST_VALUES = 2_000  # in a call: 50 files have some 500
BODY_SECONDS = 30.0  # the longest that a call's body may take to come in
UPLOAD_SECONDS = 300.0
SLOTS, SLOT_SECONDS = 8, 5.0  # uploads that come in at once, and how long another one waits for its turn
PROGRESS_SECONDS = 10.0  # for which the end of an upload is told to whoever follows its progress
DAMAGED = "The upload is damaged: please try again."
DRAIN_BYTES, DRAIN_SECONDS = 16 * 2**20, 5.0

# Which requests the page and gradio_client make.
OPEN = (
    ("GET", r"/"),
    ("GET", r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)"),
    ("GET", r"/(assets|static)/.*"),
    ("GET", rf"{API}/(info|startup-events|theme\.css|queue/data|upload_progress)"),
    ("GET", rf"{API}/heartbeat/[\w-]{{1,64}}"),
    ("GET", rf"{API}/file=.*"),
    ("POST", rf"{API}/(queue/join|run/predict|cancel|reset)/?"),
    ("POST", rf"{API}/upload"),
)
_OPEN = [(method, re.compile(path)) for method, path in OPEN]
_SESSION = re.compile(r"[\w-]{1,64}")
FRAMED_BY = "https://huggingface.co https://*.huggingface.co https://*.hf.space" if "SPACE_ID" in os.environ else ""


class Refusal(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Limits(NamedTuple):
    """Bytes."""

    upload: int  # of one request
    file: int
    direct: frozenset[int]  # no bytes: the handlers that are called by themselves
    queued: frozenset[int]  # those that are called through Gradio's queue, where each has a backlog of its own


class _Parser(route_utils.GradioMultiPartParser):
    """Gradio's reader of an upload, for files alone, and no more than one visitor may have.

    Each file stays open until the whole body is here, fields that are no files are kept in memory without a bound,
    and Gradio's progress fails on them.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"max_files": LIMITS.files, "max_fields": 0})


# `upload_fn` takes no bounds from its callers, but looks this name up whenever it is called.
route_utils.GradioMultiPartParser = _Parser  # type: ignore[misc]


def content_security_policy(nonce: str) -> str:
    """Nothing is loaded from elsewhere, and of scripts in the page itself only those that the server wrote run.

    Gradio's handlers in the browser and Vega's plots compile functions, hence 'unsafe-eval'.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors 'self' {FRAMED_BY}".strip(),
        )
    )


class Gate:
    """The ASGI middleware in front of Gradio's application."""

    def __init__(self, app: ASGIApp, presence: Presence, uploads: Uploads, limits: Limits) -> None:
        self._app, self._presence, self._uploads, self._limits = app, presence, uploads, limits
        self._slots = asyncio.Semaphore(SLOTS)
        self._slots_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by address, while in use

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it with one sentence."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no part of the page uses WebSockets
            await send({"type": "websocket.close", "code": 1008})
            return
        nonce = secrets.token_urlsafe(16)
        send, body = _Answer(send, nonce).send, _Body(receive)
        try:
            await self._let_in(scope, body.receive, send)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            await body.drain()
            answer = JSONResponse({"detail": refusal.message}, refusal.status, headers={"Connection": "close"})
            await answer(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"].replace("HEAD", "GET"), scope["path"]
        if not any(method == known and pattern.fullmatch(path) for known, pattern in _OPEN):
            raise Refusal(404, "There is nothing here.")
        if path == f"{API}/upload":
            await self._upload(scope, receive, send)
        elif method == "POST":
            body = await _read(receive, scope, LONGEST_BODY)
            self._check(body, path)
            await self._app(scope, _replay(body, receive), send)
        elif path == f"{API}/queue/data":
            session = _query(scope, "session_hash")
            if not _SESSION.fullmatch(session):
                raise Refusal(404, "There is no such session.")
            with self._presence.here(session):
                await self._app(scope, receive, send)
        elif path == f"{API}/upload_progress":
            await self._progress(_query(scope, "upload_id"), scope, receive, send)
        elif path.startswith(f"{API}/file=") and not self._is_served(path.partition("=")[2]):
            raise Refusal(404, "There is no such file.")
        else:
            await self._app(scope, receive, send)

    def _is_served(self, path: str) -> bool:
        """Whether a file was made for visitors: what others uploaded is none."""
        parts = os.path.normpath(path)
        inside = parts == path and parts.startswith(f"{self._uploads.folder}{os.sep}")
        return inside and not parts.startswith(str(self._uploads.received))

    def _check(self, body: bytes, path: str) -> None:
        """Refuse what no page sends: Gradio would fetch a file's address, or trust what it finds in the call."""
        try:
            call = json.loads(body)
            found = list(_objects(call))
            json.dumps(call, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            raise Refusal(400, "The request is not valid JSON.") from None
        if not isinstance(call, dict):
            raise Refusal(400, "The request is no JSON object.")
        session = call.get("session_hash")
        if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
            raise Refusal(400, "The session's name must be 1 to 64 letters and digits.")
        function, known = call.get("fn_index"), self._functions(path)
        if known is not None and not (isinstance(function, int) and function in known):
            raise Refusal(400, "The request calls nothing that is here: please reload the page.")
        for value in found:
            if "path" in value and not (isinstance(value["path"], str) and self._uploads.owns(value["path"])):
                raise Refusal(400, "A file of this request was not uploaded here: please upload it.")

    def _functions(self, path: str) -> frozenset[int] | None:
        """Which handlers may be called by a route; None: it calls none."""
        by_route = {f"{API}/run/predict": self._limits.direct, f"{API}/queue/join": self._limits.queued}
        return by_route.get(path.removesuffix("/"))

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio's upload, into a folder of its own and bounded as a whole."""
        bounded = _Bounded(receive, scope, self._limits.upload)
        request = Request(scope, bounded.receive)
        _, address = visitor_of(request)
        async with self._slot(address):
            try:
                folder = self._uploads.new(address, bounded.length)
            except BusyError as error:
                raise Refusal(503, str(error)) from None
            paths = await self._receive(request, folder, _query(scope, "upload_id"))
        await JSONResponse(list(map(str, paths)))(scope, receive, send)

    @asynccontextmanager
    async def _slot(self, address: str) -> AsyncIterator[None]:
        """One of the few uploads that come in at once; who finds no place waits a little."""
        theirs = self._slots_of.setdefault(address, asyncio.Semaphore(SLOTS // SHARE))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(SLOT_SECONDS):
                    await held.enter_async_context(theirs)
                    await held.enter_async_context(self._slots)
            except TimeoutError:
                raise Refusal(503, FULL) from None
            yield

    async def _receive(self, request: Request, folder: Path, upload: str) -> list[str]:
        """The paths of the files of one upload, which may follow its progress under the name `upload`."""
        progress = file_upload_statuses if _SESSION.fullmatch(upload) else None
        paths: list[str] = []
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                paths, *_ = await route_utils.upload_fn(
                    request, str(folder), self._limits.file, upload, upload_progress=progress
                )
        except MultiPartException as error:
            most = self._limits.file // 2**20
            if "maximum allowed size" in error.message:
                raise Refusal(413, f"A file may have {most} MB at most.") from None
            if "Too many files" in error.message:
                raise Refusal(413, f"An upload may have {LIMITS.files} files at most.") from None
            raise Refusal(400, DAMAGED) from None
        except TimeoutError:  # which is an OSError
            raise Refusal(408, "The upload took too long: please try again with less.") from None
        except (HTTPException, TypeError, ValueError, AttributeError, OSError):
            raise Refusal(400, DAMAGED) from None
        finally:
            if progress:
                asyncio.get_running_loop().call_later(PROGRESS_SECONDS, _forget_progress, upload)
            if paths:
                self._uploads.arrived(folder)
            else:  # refused, or the connection was lost: nothing stays
                self._uploads.discard([folder])
        return paths

    async def _progress(self, upload: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio's telling of how much of an upload has come in, which would remember every name it is asked for."""
        if not _SESSION.fullmatch(upload):
            raise Refusal(404, "There is no such upload.")
        try:
            await self._app(scope, receive, send)
        finally:
            _forget_progress(upload)


def _forget_progress(upload: str) -> None:
    """Gradio would remember the progress until somebody has followed it to the end, and its signal for ever."""
    file_upload_statuses.stop_tracking(upload)
    file_upload_statuses._signals.pop(upload, None)


class _Body:
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


class _Bounded:
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
        raise Refusal(413, f"The request is too long: {size} are the most.")


async def _read(receive: Receive, scope: Scope, most: int) -> bytes:
    """A whole body."""
    request = Request(scope, _Bounded(receive, scope, most).receive)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise Refusal(408, "The request took too long to come in: please try again.") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for who reads it next."""
    pieces = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pieces.pop() if pieces else await receive()

    return replayed


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value.

    Raises:
        Refusal: it has more values than any call of the page: two bytes of the body can be an object of 64.

    """
    waiting, seen = [value], 0
    while waiting:
        value, seen = waiting.pop(), seen + 1
        if seen > MOST_VALUES:
            raise Refusal(400, f"The request has too many values: {MOST_VALUES:,} are the most.")
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _query(scope: Scope, name: str) -> str:
    """As Gradio reads it: of two that have the same name, the last one counts."""
    return QueryParams(scope["query_string"]).get(name, "")


class _Answer:
    """Adds the headers that keep a browser from running or loading what is not the page's."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send, self._nonce = send, nonce
        self._start: Message | None = None  # of a page, held back until its length is known
        self._page = b""

    async def send(self, message: Message) -> None:
        """Pass a message on; a page's scripts get the nonce."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers["Content-Security-Policy"] = content_security_policy(self._nonce)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = re.sub(rb"<script\b", b'<script nonce="%s"' % self._nonce.encode(), self._page)
            MutableHeaders(raw=self._start["headers"])["Content-Length"] = str(len(page))
            await self._send(self._start)
            message = {**message, "body": page}
            self._start = None
        await self._send(message)
