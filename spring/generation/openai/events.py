"""Read a stream of server-sent events, whose bytes may be split anywhere.

httpx's own lines also end at U+2028 and other characters, which a token may contain: here they end at line ends alone.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from spring.errors import ModelError

MOST_BYTES = 2**20  # of one event
NONSENSE = "The model's server sent something that is no answer: please ask again, or tell the owner of this page."


async def events(pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The objects of a stream, up to `[DONE]` or its end.

    Raises:
        ModelError: an event is too long, or no JSON object.

    """
    rest, data, done = b"", b"", False
    async for piece in pieces:
        if done:  # the connection's last bytes are read too, so that it can be used again
            continue
        *lines, rest = (rest + piece).split(b"\n")
        for line in (line.removesuffix(b"\r") for line in lines):
            if line.startswith(b"data:"):
                data += line.removeprefix(b"data:").strip()
            elif not line and data:
                done = done or data == b"[DONE]"
                if not done:
                    yield parsed(data)
                data = b""
        if len(rest) + len(data) > MOST_BYTES:
            raise ModelError(NONSENSE)
    if data and not done and data != b"[DONE]":  # the stream's last blank line is missing
        yield parsed(data)


def parsed(data: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ModelError: it is none.

    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(NONSENSE) from error
    if not isinstance(found, dict):
        raise ModelError(NONSENSE)
    return found
