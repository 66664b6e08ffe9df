"""Receive uploads: few at once, files only, bounded, each into a folder of its own."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from gradio import route_utils
from gradio.routes import file_upload_statuses
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from spring.errors import BusyError
from spring.settings import READING_LIMITS
from spring.web.gateway.body import RequestRefused
from spring.web.gateway.gradio_patches import forget_progress
from spring.web.visitors.requests import visitor_of
from spring.web.visitors.sessions import SHARE
from spring.web.visitors.uploads import FULL, Uploads

UPLOAD_SECONDS = 300.0
SLOTS, SLOT_SECONDS = 8, 5.0  # uploads that arrive at once, and how long another one waits
PROGRESS_SECONDS = 10.0  # for which the end of an upload is reported to whoever follows its progress
DAMAGED = "The upload is damaged: please try again."
NAME = re.compile(r"[\w-]{1,64}")  # of a session, or an upload


class Receiver:
    """Receive uploads.

    Args:
        uploads: where they go.
        max_bytes: of one request.
        max_file_bytes: of one file.

    """

    def __init__(self, uploads: Uploads, max_bytes: int, max_file_bytes: int) -> None:
        self._uploads, self._max_bytes, self._max_file_bytes = uploads, max_bytes, max_file_bytes
        self._slots = asyncio.Semaphore(SLOTS)
        self._slots_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by address, while in use

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive an upload, whose body is limited already, into a folder of its own."""
        request = Request(scope, receive)
        _, address = visitor_of(request)
        stated = request.headers.get("content-length", "")
        nbytes = min(int(stated), self._max_bytes) if stated.isdecimal() else self._max_bytes
        async with self._slot(address):
            try:
                folder = self._uploads.new(address, nbytes)
            except BusyError as error:
                raise RequestRefused(503, str(error)) from None
            paths = await self._receive(request, folder, query(scope, "upload_id"))
        await JSONResponse(list(map(str, paths)))(scope, receive, send)

    @asynccontextmanager
    async def _slot(self, address: str) -> AsyncIterator[None]:
        """Hold one of the few places for uploads that arrive at once; wait a little for one."""
        theirs = self._slots_of.setdefault(address, asyncio.Semaphore(SLOTS // SHARE))
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(SLOT_SECONDS):
                    await held.enter_async_context(theirs)
                    await held.enter_async_context(self._slots)
            except TimeoutError:
                raise RequestRefused(503, FULL) from None
            yield

    async def _receive(self, request: Request, folder: Path, upload: str) -> list[str]:
        """Receive the files of one upload, whose progress may be followed by its name; return their paths."""
        progress = file_upload_statuses if NAME.fullmatch(upload) else None
        paths: list[str] = []
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                paths, *_ = await route_utils.upload_fn(
                    request, str(folder), self._max_file_bytes, upload, upload_progress=progress
                )
        except MultiPartException as error:
            if "maximum allowed size" in error.message:
                raise RequestRefused(413, f"A file may have at most {self._max_file_bytes // 2**20} MB.") from None
            if "Too many files" in error.message:
                raise RequestRefused(413, f"An upload may have at most {READING_LIMITS.files} files.") from None
            raise RequestRefused(400, DAMAGED) from None
        except TimeoutError:  # which is an OSError
            raise RequestRefused(408, "The upload took too long: please try again with less.") from None
        except (HTTPException, TypeError, ValueError, AttributeError, OSError) as error:
            if isinstance(error, HTTPException) and error.status_code == 413:  # of `limited`
                raise
            raise RequestRefused(400, DAMAGED) from None
        finally:
            if progress:
                asyncio.get_running_loop().call_later(PROGRESS_SECONDS, forget_progress, upload)
            if paths:
                self._uploads.arrived(folder)
            else:  # refused, or the connection was lost: nothing stays
                self._uploads.discard([folder])
        return paths

    async def report_progress(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Let Gradio stream how much of an upload has arrived; it would remember every name it is asked for."""
        upload = query(scope, "upload_id")
        if not NAME.fullmatch(upload):
            raise RequestRefused(404, "There is no such upload.")
        try:
            await app(scope, receive, send)
        finally:
            forget_progress(upload)


def query(scope: Scope, name: str) -> str:
    """Return a query parameter as Gradio reads it: of two with the same name, the last one counts."""
    return QueryParams(scope["query_string"]).get(name, "")
