"""What every loader makes: pages of clean text, and warnings for the user."""

from collections.abc import Sequence
from typing import NamedTuple

from spring.data.cleaning import clean_text, one_line
from spring.data.types import LONGEST_TITLE, Page
from spring.errors import DocumentError


class Content(NamedTuple):
    """What a loader makes of a file."""

    pages: list[Page]  # in order
    warnings: list[str]  # each a clause without a full stop
    title: str = ""  # the document's own; "" where it has none


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
