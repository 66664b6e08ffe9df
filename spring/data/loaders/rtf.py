"""Load RTF files by striprtf: one page, one line for each paragraph and each row of a table."""

import re

from striprtf.striprtf import rtf_to_text

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title

_PICTURE = re.compile(r"(?:[0-9a-fA-F]{2}[\r\n]*){128,}")  # bytes as digits
_TITLE = re.compile(
    r"\{\\title\s+((?:[^{}\\]|\\'[0-9a-f]{2}|\\u-?\d+\s?\??)++)\}"
)  # ++: no going back, which never ends


def load_rtf(data: bytes) -> Content:
    """One page of the whole file."""
    text = _PICTURE.sub("", data.decode("latin-1"))
    title = _TITLE.search(text[:100_000])
    blocks = (Block(_line(line)) for line in _plain(text).split("\n"))
    return Content([build_page(blocks)], [], clean_title(_plain("{\\rtf1 " + title[1] + "}")) if title else "")


def _plain(rtf: str) -> str:
    return str(rtf_to_text(rtf, encoding="cp1252", errors="replace"))


def _line(line: str) -> str:
    """A paragraph as it is; the cells of a row, which end with a bar, as those of other tables."""
    return table_row(line.split("|")) if line.rstrip().endswith("|") else line
