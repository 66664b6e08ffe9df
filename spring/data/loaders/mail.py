"""Load e-mail: one page of its subject, who wrote it to whom and when, and its text; attachments are only named."""

import email
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import EmailPolicy
from itertools import islice
from typing import Any

from spring.data.encoding import decode, decode_as
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.html_blocks import html_blocks
from spring.data.loaders.html_tree import parse, prune
from spring.data.loaders.text import text_blocks
from spring.errors import DocumentError

_HEADERS = ("From", "To", "Cc", "Date")
_MOST_NAMED = 50  # attachments
_LONGEST_SHOWN, _LONGEST_HEADER = 4_000, 1_000  # characters: the library takes time quadratic in their number
_DEEPEST = 50  # parts within parts: it passes each line through all of them
_SHOWN = frozenset(["subject", *map(str.lower, _HEADERS)])


class _Policy(EmailPolicy):
    """The usual policy, which sees the beginning of long headers."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        most = _LONGEST_SHOWN if name.lower() in _SHOWN else _LONGEST_HEADER
        return super().header_fetch_parse(name, value[:most])


class _Part(EmailMessage):
    """A message, or a part of one, that knows how deeply it is nested."""

    depth = 0

    def attach(self, payload: Any) -> None:
        if isinstance(payload, _Part):
            payload.depth = self.depth + 1
            if payload.depth > _DEEPEST:
                raise DocumentError("its parts are nested too deeply; save its text as a file of its own")
        super().attach(payload)


_POLICY = _Policy(message_factory=_Part)


def load_eml(data: bytes) -> Content:
    """One page; the title is the subject."""
    message = email.message_from_bytes(data.lstrip(b"\xef\xbb\xbf\r\n"), policy=_POLICY)
    if not isinstance(message, EmailMessage) or not any(name in message for name in ("Subject", "From", "Date")):
        raise DocumentError("it is not what its name says, an e-mail; save it again as .eml")
    subject = str(message["Subject"] or "")
    blocks = [Block(subject, 1)]
    blocks += (Block(f"{name}: {value}") for name in _HEADERS if (value := message[name]))
    long = [name for name, value in message.raw_items() if name.lower() in _SHOWN and len(value) > _LONGEST_SHOWN]
    read, others = _parts(message)
    warnings: list[str] = []
    for part in read:
        text, said = _text(part)
        blocks += _html(text) if part.get_content_subtype() == "html" else text_blocks(text)
        warnings += (warning for warning in said if warning not in warnings)
    names = [part.get_filename() or part.get_content_type() for part in others[:_MOST_NAMED]]
    blocks += (Block(f"Attachment: {name}") for name in names)
    if long:
        warnings = [*warnings, f"of {long[0]} only the first {_LONGEST_SHOWN:,} characters were read"]
    if names:
        warnings = [*warnings, "attachments were not opened; save them and give them as files of their own"]
    return Content([build_page(blocks)], warnings, clean_title(subject))


def _parts(message: EmailMessage) -> tuple[list[EmailMessage], list[EmailMessage]]:
    """The parts to be read, plain text before HTML that says the same, and the attachments.

    Some programs cut a text at each picture in it: its other pieces follow as parts without a name.
    """
    bodies = (message.get_body((kind,)) for kind in ("plain", "html"))
    read = list(islice((body for body in bodies if isinstance(body, EmailMessage) and _text(body)[0].strip()), 1))
    others: list[EmailMessage] = []
    for part in message.iter_attachments():
        if isinstance(part, EmailMessage):
            shown = part.get_content_type() in ("text/plain", "text/html") and not part.is_attachment()
            (read if shown and not part.get_filename() else others).append(part)
    return read, others


def _text(part: EmailMessage) -> tuple[str, list[str]]:
    """The text of a part: UTF-8 if it is that, and not ISO-2022 (which is ASCII), else in the encoding it declares."""
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    names = ["utf-8", part.get_content_charset("utf-8")]
    if b"\x1b" in data and data.isascii():
        names = [name for name in names if name.startswith("iso-2022")]
    texts = (decode_as(data, name) for name in names)
    return next(filter(None, texts), None) or decode(data, part.get_content_subtype() == "html")


def _html(text: str) -> Iterator[Block]:
    root = parse(text)
    prune(root)
    yield from (found.block for found in html_blocks(root))
