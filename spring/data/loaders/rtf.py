"""Load RTF files by striprtf: one page, one line for each paragraph and each row of a table.

Its expressions for links and fonts take time quadratic in the length of a line, and more; they get what they read fast.
"""

import re

from striprtf.striprtf import font_table_group, rtf_to_text

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title

_PICTURE = re.compile(r"(?:[0-9a-fA-F]{2}[\r\n]*+){128,}+")  # bytes as digits
_LINK = re.compile(r"(\\fldinst)\{", re.IGNORECASE)
_INSIDE = r"[^{}\\]++|\\[\s\S]"
_NOTE = re.compile(  # with groups, and groups in them
    rf"\{{\\footnote\b((?:{_INSIDE}|\{{(?:{_INSIDE}|\{{(?:{_INSIDE})*+\}})*+\}})*+)\}}"
)
_FONT, _CHARSET = re.compile(r"\\f(\d{1,9})"), re.compile(r"\\fcharset(\d{1,9})")
_TITLE = re.compile(
    r"\{\\title\s++((?:[^{}\\]|\\'[0-9a-f]{2}|\\u-?\d+\s?\??)++)\}"
)  # ++: no going back, which never ends


def load_rtf(data: bytes) -> Content:
    """One page of the whole file."""
    text = _LINK.sub(r"\1 {", _PICTURE.sub("", data.decode("latin-1")))  # the same to a reader, and to striprtf no link
    text = _NOTE.sub(r"{ (\1)}", text)  # striprtf leaves notes out; they stand in brackets where they are cited
    if fonts := font_table_group(text):
        text = text.replace(fonts, _font_table(fonts), 1)
    title = _TITLE.search(text[:100_000])
    blocks = (Block(_line(line)) for line in _plain(text).split("\n"))
    return Content([build_page(blocks)], [], clean_title(_plain("{\\rtf1 " + title[1] + "}")) if title else "")


def _font_table(fonts: str) -> str:
    """The same table with one line for each font, and nothing in it but its number and its letters."""
    named = ((_FONT.search(font), _CHARSET.search(font)) for font in fonts.split(";"))
    lines = (f"{{\\f{font[1]}\\fcharset{charset[1]} x;}}" for font, charset in named if font and charset)
    return "{\\fonttbl" + "\n".join(lines) + "}"


def _plain(rtf: str) -> str:
    return str(rtf_to_text(rtf, encoding="cp1252", errors="replace"))


def _line(line: str) -> str:
    """A paragraph as it is; the cells of a row, which end with a bar, as those of other tables."""
    return table_row(line.split("|")) if line.rstrip().endswith("|") else re.sub(r"\(\s++", "(", line)
