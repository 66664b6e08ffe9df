"""Uploads as they come in: few at once, files alone, bounded, each into a folder of its own."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
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
from spring.web.gateway.body import Bounded, RequestRefused
from spring.web.visitors.requests import visitor_of
from spring.web.visitors.sessions import SHARE
from spring.web.visitors.uploads import FULL, Uploads

UPLOAD_SECONDS = 300.0
SLOTS, SLOT_SECONDS = 8, 5.0  # uploads that come in at once, and how long another one waits for its turn
PROGRESS_SECONDS = 10.0  # for which the end of an upload is told to whoever follows its progress
DAMAGED = "The upload is damaged: please try again."
NAME = re.compile(r"[\w-]{1,64}")  # of a session, or an upload


class _BoundedMultiPartParser(route_utils.GradioMultiPartParser):
    """Gradio's reader of an upload, for files alone, and no more than one visitor may have.

    Each file stays open until the whole body is here, fields that are no files are kept in memory without a bound,
    and Gradio's progress fails on them.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings | {"max_files": READING_LIMITS.files, "max_fields": 0})


# `upload_fn` takes no bounds from its callers, but looks this name up whenever it is called.
route_utils.GradioMultiPartParser = _BoundedMultiPartParser  # type: ignore[misc]


class Receiver:
    """Takes uploads.

    Args:
        uploads: where they go.
        most: bytes of one request.
        most_of_file: bytes of one file.

    """

    def __init__(self, uploads: Uploads, most: int, most_of_file: int) -> None:
        self._uploads, self._most, self._most_of_file = uploads, most, most_of_file
        self._slots = asyncio.Semaphore(SLOTS)
        self._slots_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()  # by address, while in use

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Gradio's upload, into a folder of its own and bounded as a whole."""
        bounded = Bounded(receive, scope, self._most)
        request = Request(scope, bounded.receive)
        _, address = visitor_of(request)
        async with self._slot(address):
            try:
                folder = self._uploads.new(address, bounded.length)
            except BusyError as error:
                raise RequestRefused(503, str(error)) from None
            paths = await self._receive(request, folder, query(scope, "upload_id"))
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
                raise RequestRefused(503, FULL) from None
            yield

    async def _receive(self, request: Request, folder: Path, upload: str) -> list[str]:
        """The paths of the files of one upload, which may follow its progress under the name `upload`."""
        progress = file_upload_statuses if NAME.fullmatch(upload) else None
        paths: list[str] = []
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                paths, *_ = await route_utils.upload_fn(
                    request, str(folder), self._most_of_file, upload, upload_progress=progress
                )
        except MultiPartException as error:
            most = self._most_of_file // 2**20
            if "maximum allowed size" in error.message:
                raise RequestRefused(413, f"A file may have {most} MB at most.") from None
            if "Too many files" in error.message:
                raise RequestRefused(413, f"An upload may have {READING_LIMITS.files} files at most.") from None
            raise RequestRefused(400, DAMAGED) from None
        except TimeoutError:  # which is an OSError
            raise RequestRefused(408, "The upload took too long: please try again with less.") from None
        except (HTTPException, TypeError, ValueError, AttributeError, OSError):
            raise RequestRefused(400, DAMAGED) from None
        finally:
            if progress:
                asyncio.get_running_loop().call_later(PROGRESS_SECONDS, _forget_progress, upload)
            if paths:
                self._uploads.arrived(folder)
            else:  # refused, or the connection was lost: nothing stays
                self._uploads.discard([folder])
        return paths

    async def tell(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Gradio's telling of how much of an upload has come in, which would remember every name it is asked for."""
        upload = query(scope, "upload_id")
        if not NAME.fullmatch(upload):
            raise RequestRefused(404, "There is no such upload.")
        try:
            await app(scope, receive, send)
        finally:
            _forget_progress(upload)


def _forget_progress(upload: str) -> None:
    """Gradio would remember the progress until somebody has followed it to the end, and its signal for ever."""
    file_upload_statuses.stop_tracking(upload)
    file_upload_statuses._signals.pop(upload, None)


def query(scope: Scope, name: str) -> str:
    """As Gradio reads it: of two that have the same name, the last one counts."""
    return QueryParams(scope["query_string"]).get(name, "")
