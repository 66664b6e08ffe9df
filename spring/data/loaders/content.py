"""What every loader makes: pages of clean text, and warnings for the user."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spring.data.cleaning import clean_text, one_line
from spring.data.types import LONGEST_TITLE, Heading, Page
from spring.errors import DocumentError


class Content(NamedTuple):
    """What a loader makes of a file."""

    pages: list[Page]  # in order
    warnings: list[str]  # each a clause without a full stop
    title: str = ""  # the document's own; "" where it has none


class Block(NamedTuple):
    """A paragraph, heading, list item, table row or listing, as a loader finds it.

    Single line breaks in `text` are hard wraps and become spaces; a blank line starts a new line of the page.
    """

    text: str
    level: int = 0  # of a heading, from 1, the highest; 0 for anything else
    preformatted: bool = False  # code or verse: every line and its indentation stay


_MADE_UP = re.compile(
    r"(?i)untitled([ -].{0,20})?|(?:document|slide|folie|presentation|page|sheet|workbook) ?\d+|powerpoint presentation"
)
_LONGEST_INDENT = 32  # spaces of a preformatted line that are kept


def build_page(blocks: Iterable[Block], rows: bool = False) -> Page:
    """Clean the blocks and join them into a page, one line each, with the headings' offsets in the final text.

    Blocks without text are left out. rows: whether each line is a row of a table (see `Page`).
    """
    lines: list[str] = []
    headings: list[Heading] = []
    length = 0  # of the lines so far, with a line break after each
    for text, level, preformatted in blocks:
        if text.isprintable() and "  " not in text and unicodedata.is_normalized("NFC", text):  # so it is clean
            clean = text.rstrip() if preformatted else text.strip()
        else:
            clean = _clean_lines(text) if preformatted else clean_text(text)
        if level:
            clean = one_line(clean)
        if not clean:
            continue
        if level:
            headings.append(Heading(length, level, clean))
        lines.append(clean)
        length += len(clean) + 1
    return Page("\n".join(lines), headings=tuple(headings), rows=rows)


def clean_title(title: str) -> str:
    """A document's own title as one clean line; "" if a program made it up, or if it is as long as a paragraph."""
    title = one_line(clean_text(title))
    return "" if len(title) > LONGEST_TITLE or _MADE_UP.fullmatch(title) else title


def _clean_lines(text: str) -> str:
    """Clean each line by itself and keep its indentation; blank lines go."""
    lines = []
    # Not splitlines, which also cuts at U+001C to U+001E; they are control characters and go.
    for line in re.split(r"\r\n?|[\n\x0b\x0c\x85\u2028\u2029]", text.expandtabs(4)):
        if clean := one_line(clean_text(line)):
            lines.append(" " * min(len(line) - len(line.lstrip()), _LONGEST_INDENT) + clean)
    return "\n".join(lines)


def clean_page(text: str, title: str = "") -> Page:
    """A page of clean text. A title with nothing below it, or as long as a paragraph, becomes text."""
    text, title = clean_text(text), one_line(clean_text(title))
    if not text or len(title) > LONGEST_TITLE:
        return Page(f"{title}\n{text}".strip())
    return Page(text, title)


def numbered(noun: str, numbers: Sequence[int]) -> str:
    """`page 2`, `rows 2 and 5`, `rows 1, 2, 3, 4, 5 and 12 more`: short however many there are."""
    shown = [str(number) for number in numbers[:5]]
    if len(numbers) > len(shown):
        shown.append(f"{len(numbers) - len(shown)} more")
    listed = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"{noun} {listed}" if len(numbers) == 1 else f"{noun}s {listed}"


def check_pages(pages: int, most: int) -> None:
    """Refuse a file with too many pages or rows."""
    if pages > most:
        raise DocumentError(f"it has {pages:,} pages or rows; {most:,} are the most, split it")
