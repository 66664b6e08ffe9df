"""Add the headers that make a browser load nothing from elsewhere and run only the server's own scripts."""

import os
import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from spring.web.gateway.heartbeat import SCRIPT

FRAMED_BY = "https://huggingface.co https://*.huggingface.co https://*.hf.space" if "SPACE_ID" in os.environ else ""


def content_security_policy(nonce: str) -> str:
    """Return the policy: nothing is loaded from elsewhere; of inline scripts only those with the nonce run.

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
    """Send a response with the security headers; the scripts of a page get the nonce."""

    def __init__(self, send: Send, nonce: str) -> None:
        self._send, self._nonce = send, nonce
        self._start: Message | None = None  # of a page, held back until its length is known
        self._page = b""

    async def send(self, message: Message) -> None:
        """Send a message on."""
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
            page = self._page.replace(b"<head>", b"<head><script>%s</script>" % SCRIPT, 1)
            page = re.sub(rb"<script\b", b'<script nonce="%s"' % self._nonce.encode(), page)
            MutableHeaders(raw=self._start["headers"])["Content-Length"] = str(len(page))
            await self._send(self._start)
            message = {**message, "body": page}
            self._start = None
        await self._send(message)
