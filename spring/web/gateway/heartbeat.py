"""Know which pages are open from short requests, so that a browser's connections stay free.

A browser opens six connections to one server, and Gradio holds one for each open page: the sixth tab would never load.
`heartbeat.js` sends a beat every 20 seconds instead, and a last word when the page is closed. For Gradio one connection
is held open here, inside the server, until the page is gone: what Gradio does then, it does as before.
"""

import asyncio
import time
from collections import OrderedDict
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spring.web.gateway.body import RequestRefused
from spring.web.visitors.requests import visitor_of

SCRIPT = (Path(__file__).parent / "heartbeat.js").read_bytes()
CLOCK = time.monotonic
GONE = 150.0  # seconds without a beat: browsers let a hidden page's timers run once a minute
PAGES, PAGES_OF_ADDRESS = 2000, 500  # that are open at once


class _Page:
    """An open page."""

    def __init__(self, address: str) -> None:
        self.address, self.gone, self.seen = address, asyncio.Event(), CLOCK()
        self.task: asyncio.Task[None] | None = None


class Heartbeats:
    """The open pages, by session.

    Args:
        app: Gradio's application.

    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._pages: OrderedDict[str, _Page] = OrderedDict()  # the one that was seen last comes last

    async def beat(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Note that a page is open.

        Raises:
            RequestRefused: too many are.

        """
        self._drop_old()
        page = self._pages.get(session)
        if page is None:
            page = self._open(session, scope)
        page.seen = CLOCK()
        self._pages.move_to_end(session)
        await Response(status_code=204)(scope, receive, send)

    async def leave(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Note that a page was closed."""
        if page := self._pages.pop(session, None):
            page.gone.set()
        await Response(status_code=204)(scope, receive, send)

    def _open(self, session: str, scope: Scope) -> _Page:
        _, address = visitor_of(Request(scope))
        theirs = sum(page.address == address for page in self._pages.values())
        if len(self._pages) >= PAGES or theirs >= PAGES_OF_ADDRESS:
            raise RequestRefused(503, "Too many pages are open now: please close some of them.")
        page = self._pages[session] = _Page(address)
        held = {**scope, "query_string": b"", "asgi": {**scope["asgi"], "spec_version": "2.3"}}
        page.task = asyncio.create_task(self._hold(session, page, held))
        return page

    async def _hold(self, session: str, page: _Page, scope: Scope) -> None:
        """Be the page's connection to Gradio until the page is gone."""

        async def receive() -> Message:
            while not page.gone.is_set():
                try:
                    await asyncio.wait_for(page.gone.wait(), max(page.seen + GONE - CLOCK(), 0.01))
                except TimeoutError:
                    if CLOCK() - page.seen >= GONE:
                        break
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            pass

        try:
            await self._app(scope, receive, send)
        finally:
            if self._pages.get(session) is page:
                del self._pages[session]

    def _drop_old(self) -> None:
        while self._pages and next(iter(self._pages.values())).seen < CLOCK() - GONE:
            _, page = self._pages.popitem(last=False)
            page.gone.set()
