"""Serve the page: Gradio's settings, the gateway in front of it, and the periodic cleaning up."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from starlette.middleware import Middleware

from spring.errors import SpringError
from spring.generation.interface import Engine
from spring.rag.library import Library
from spring.settings import AppSettings
from spring.web.api import parameters
from spring.web.gateway import gradio_patches
from spring.web.gateway.gateway import Gateway, GatewayLimits
from spring.web.layout import build_demo, theme
from spring.web.shared import Shared
from spring.web.visitors.connections import Connections
from spring.web.visitors.uploads import Uploads

if TYPE_CHECKING:
    from spring.web.mcp_tool import McpTool

QUEUE_SIZE = 64  # of Gradio's own queue, which passes everything on to ours at once
THREADS = 128  # every waiting request has one
GRADIO_SESSIONS = 1000  # whose changes of the page Gradio remembers; documents are kept elsewhere
TIDY_SECONDS = 15.0
PAGE = Path(__file__).parent
CSS = [PAGE / "style.css", PAGE / "stage.css"]
SCRIPT = PAGE / "page.js"


def launch(
    engine: "Future[Engine]",
    samples: Sequence[Library],
    settings: AppSettings,
    host: str | None = None,
    port: int | None = None,
) -> "Site":
    """Serve the page without blocking.

    Args:
        engine: what answers, once it is loaded.
        samples: the collections to choose from.
        settings: how much a visitor may upload and ask.
        host: address to listen on; by default $GRADIO_SERVER_NAME or 127.0.0.1.
        port: by default $GRADIO_SERVER_PORT or 7860.

    Raises:
        SpringError: the address or the port cannot be used, or two collections have the same name.

    """
    megabyte = 2**20
    connections, uploads = Connections(), Uploads(_folder("GRADIO_TEMP_DIR"), settings.sessions_megabytes * megabyte)
    # Gradio reads these itself. Its analysis of past calls takes longer the more there are: one is kept.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads.folder)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**60)
    shared = Shared(engine, samples, settings, connections, uploads)
    demo = build_demo(shared)
    demo.queue(max_size=QUEUE_SIZE, api_open=False)
    limits = GatewayLimits(
        upload=settings.session_megabytes * megabyte,
        file=settings.upload_megabytes * megabyte,
        direct=frozenset(index for index, fn in demo.fns.items() if fn.queue is False),
        queued=frozenset(index for index, fn in demo.fns.items() if fn.queue is not False),
        parameters={name: parameter.default for name, parameter in parameters(shared).items()},
    )
    mcp = _mcp_tool(shared) if settings.mcp else None
    gateway = Middleware(Gateway, connections=connections, uploads=uploads, limits=limits, mcp=mcp)
    try:
        _, address, _ = demo.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,
            share=False,
            ssr_mode=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=["api"],
            max_file_size=limits.file,
            max_threads=THREADS,
            state_session_capacity=GRADIO_SESSIONS,
            app_kwargs={"middleware": [gateway], **({"lifespan": mcp.lifespan} if mcp else {})},
            theme=theme(),
            css_paths=CSS,
            js=SCRIPT.read_text("utf-8"),
        )
    except OSError as error:
        raise SpringError(
            "The page cannot listen at GRADIO_SERVER_NAME and GRADIO_SERVER_PORT: choose another address or port."
        ) from error
    gradio_patches.bound(demo, connections.away)
    return Site(address, shared, demo, uploads)


class Site:
    """A page that is being served; leaving it as a context ends that."""

    def __init__(self, address: str, shared: Shared, demo: gr.Blocks, uploads: Uploads) -> None:
        self.address, self.shared = address, shared
        self._demo, self._uploads = demo, uploads
        self._closed = threading.Event()
        threading.Thread(target=self._tidy, name="tidy", daemon=True).start()

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._demo.close(verbose=False)
        self._uploads.close()

    def _tidy(self) -> None:
        """Drop what has expired, every few seconds."""
        while not self._closed.wait(TIDY_SECONDS):
            self.shared.sessions.tidy()
            self.shared.history.tidy()
            self._uploads.tidy()


def _mcp_tool(shared: Shared) -> "McpTool":
    from spring.web.mcp_tool import McpTool  # takes time that no page without it has to wait

    return McpTool(shared)


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
