"""What every answer tells the browser: to load nothing from elsewhere, and to run no script but the server's own."""

import os
import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

FRAMED_BY = "https://huggingface.co https://*.huggingface.co https://*.hf.space" if "SPACE_ID" in os.environ else ""


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


class SecuredResponse:
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
