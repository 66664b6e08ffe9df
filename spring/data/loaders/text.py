"""Load plain text files: one page; hard-wrapped paragraphs are joined, short lines stay.

A line was wrapped if the first word of the next line would not have fitted into it. Opening hours, questions and
answers, addresses, poems and tables have lines that end earlier.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from spring.data.cleaning import CJK
from spring.data.loaders.content import Block, Content, build_page

_NARROWEST, _WIDEST = 40, 140  # columns of a hard-wrapped text
_SLACK = 6  # columns by which a wrapped line may be shorter than it had to be
_MOST_SHORT = 0.2  # of the lines of a wrapped paragraph that may be shorter still
_PARAGRAPHS = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+|\f")
_MARKER = re.compile(r"\s*(?:[-*+•‣◦▪–—>|]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s")  # of an item of a list, or a quotation
_WIDE = re.compile(f"[{CJK}、。，．！？：；…「」『』（）]")
_COLUMNS = re.compile(r"\S(?:\t| {3,})\S")  # of a table drawn with spaces
_LABEL = re.compile(r"^[^\W\d_][\w.]{0,14}(?: [\w.]{1,14})?:(?:\s|$)")  # `Q:`, `Monday:`, `Opening hours:`


def load_text(text: str) -> Content:
    """One page."""
    return Content([build_page(text_blocks(text))], [])


def load_log(text: str) -> Content:
    """One page, each line of which is a row by itself."""
    return Content([build_page((Block(line) for line in text.split("\n")), rows=True)], [])


def text_blocks(text: str) -> Iterator[Block]:
    """The paragraphs and the lines of a plain text."""
    paragraphs = [lines for part in _PARAGRAPHS.split(text) for lines in _items(part.split("\n"))]
    width = _wrapping_width(paragraphs)
    for lines in paragraphs:
        if _is_wrapped(lines, width):
            yield Block("\n".join(lines))
        else:
            yield from map(Block, lines)


def _items(lines: list[str]) -> Iterator[list[str]]:
    """The lines of a paragraph, or of each item of a list."""
    item: list[str] = []
    for line in filter(str.strip, lines):
        if item and _MARKER.match(line):
            yield item
            item = []
        item.append(line)
    if item:
        yield item


def _wrapping_width(paragraphs: list[list[str]]) -> int:
    """The width at which the text was wrapped: that of nearly the longest of the lines that others follow."""
    widths = sorted(_width(line) for lines in paragraphs for line in lines[:-1])
    widths = [width for width in widths if width <= _WIDEST]
    return widths[len(widths) * 9 // 10] if widths else 0


def _is_wrapped(lines: list[str], width: int) -> bool:
    """Whether the lines of a paragraph are one line that was cut at about this width."""
    if len(lines) == 1:
        return True
    own = max(map(_width, lines[:-1]))
    width = own if own > width else width
    if not _NARROWEST <= width <= _WIDEST:
        return False
    if sum(_LABEL.match(line.lstrip()) is not None for line in lines) > 1:
        return False
    if sum(_COLUMNS.search(line.strip()) is not None for line in lines) * 2 > len(lines):
        return False
    short = sum(_width(line) + 1 + _first_word(following) + _SLACK <= width for line, following in pairwise(lines))
    return short <= _MOST_SHORT * (len(lines) - 1)


def _width(line: str) -> int:
    """The columns that a line takes; a Chinese or Japanese character takes two."""
    line = line.rstrip()
    return len(line) + (0 if line.isascii() else len(_WIDE.findall(line)))


def _first_word(line: str) -> int:
    """The columns that the first word of a line takes."""
    line = line.lstrip()
    return 2 if _WIDE.match(line) else _width(line.split(maxsplit=1)[0])
