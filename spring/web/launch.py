"""Serve the page: what Gradio is told, the gate before it, and the tidying while it runs."""

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from spring.generation.types import Engine
from spring.rag.library import Library
from spring.settings import AppSettings
from spring.web.gateway import gradio_patches as gradio_state
from spring.web.gateway.gateway import Gateway, GatewayLimits
from spring.web.layout import KEYBOARD, build_demo, theme
from spring.web.tabs.compare import Page
from spring.web.visitors.connections import Connections
from spring.web.visitors.uploads import Uploads

QUEUE_SIZE = 64  # of Gradio's own queue, which hands everything on at once to ours
THREADS = 128  # whoever waits has one
GRADIO_SESSIONS = 1000  # of which Gradio remembers what it changed on the page; documents are none of that
TIDY_SECONDS = 15.0
CSS = Path(__file__).parent / "style.css"


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

    """
    megabyte = 2**20
    presence, uploads = Connections(), Uploads(_folder("GRADIO_TEMP_DIR"), settings.sessions_megabytes * megabyte)
    # Gradio reads these itself. Its analysis of all past calls takes longer the more there are.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads.folder)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**60)
    page = Page(engine, samples, settings, presence, uploads)
    demo = build_demo(page)
    demo.queue(max_size=QUEUE_SIZE, api_open=False)
    limits = GatewayLimits(
        upload=settings.session_megabytes * megabyte,
        file=settings.upload_megabytes * megabyte,
        direct=frozenset(index for index, fn in demo.fns.items() if fn.queue is False),
        queued=frozenset(index for index, fn in demo.fns.items() if fn.queue is not False),
    )
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
        app_kwargs={"middleware": [Middleware(Gateway, presence=presence, uploads=uploads, limits=limits)]},
        theme=theme(),
        css_paths=[CSS],
        js=KEYBOARD,
    )
    gradio_state.bound(demo, presence.away)
    return Site(address, page, demo, uploads)


class Site:
    """A page that is being served; on leaving it as a context, no longer."""

    def __init__(self, address: str, page: Page, demo: gr.Blocks, uploads: Uploads) -> None:
        self.address, self.page = address, page
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
        """Drop what has expired, time and again."""
        while not self._closed.wait(TIDY_SECONDS):
            self.page.sessions.tidy()
            self._uploads.tidy()


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
