"""The tool `compare` for assistants that speak the Model Context Protocol (MCP), if SPRING_MCP is set.

Gradio's own MCP server does not keep this page's limits: it runs all callers in one session, calls itself over HTTP
with the caller's headers (so that a caller may claim any address), writes files that a caller sends as text, and goes
on after its caller has left.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import gradio as gr
from gradio.utils import get_function_description
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from spring.errors import SpringError
from spring.web.api import Api, parameters
from spring.web.shared import Shared

try:
    from mcp.server.lowlevel import Server
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.types import Tool, ToolAnnotations
except ImportError as error:
    raise SpringError('SPRING_MCP needs the package mcp: pip install "mcp>=1.21,<2".') from error

NAME = "compare"
THREADS = 64  # calls that wait or run at once; most are refused by the request queue before


class McpTool:
    """An ASGI application that speaks MCP's streamable HTTP, each request by itself.

    Args:
        shared: the model and its queue, where calls wait like all others.

    """

    def __init__(self, shared: Shared) -> None:
        self._shared, self._compare = shared, Api(shared).compare
        self._threads = anyio.CapacityLimiter(THREADS)
        self._server: Server[Any, Request] = Server("spring-live")
        self._server.list_tools()(self._list)  # type: ignore[no-untyped-call]
        self._server.call_tool()(self._call)
        self._sessions = StreamableHTTPSessionManager(self._server, stateless=True)

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Run as long as the page is served."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the gateway has checked it, and named the visitor in the scope's state."""
        await self._sessions.handle_request(scope, receive, send)

    async def _list(self) -> list[Tool]:
        description, _, _ = get_function_description(self._compare)
        given = {name: value for name, value in parameters(self._shared).items() if name != "documents"}
        schema = {
            "type": "object",
            "properties": {
                name: schema | ({} if default is None else {"default": default})
                for name, (default, schema) in given.items()
            },
            "required": ["question"],
            "additionalProperties": False,
        }
        collections = ", ".join(self._shared.documents.samples)
        return [
            Tool(
                name=NAME,
                description=f"{description} The collections are: {collections}.",
                inputSchema=schema,
                annotations=ToolAnnotations(title="Compare", readOnlyHint=True, openWorldHint=False),
            )
        ]

    async def _call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer a call whose arguments the library has checked by the schema."""
        if name != NAME:
            raise ValueError(f"There is no tool {name[:40]!r}: the one here is {NAME!r}.")
        request = self._server.request_context.request
        values = {name: parameter.default for name, parameter in parameters(self._shared).items()} | arguments
        call = partial(self._compare, **values, request=gr.Request(request, session_hash=_visitor(request)))
        try:
            # Whoever breaks off is not waited for: the request queue notices, and the call ends by itself.
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=self._threads)
        except gr.Error as error:
            raise ValueError(error.message) from None


def _visitor(request: Request | None) -> str:
    return str(request.state.visitor) if request else ""
