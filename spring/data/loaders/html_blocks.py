"""Read the blocks of an HTML tree as a reader sees them: paragraphs, headings, list items, table rows, listings.

A row of a table is one line, unless the table lays out the page: then its cells are blocks by themselves.
"""

import re
from dataclasses import dataclass

from lxml import etree

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block
from spring.data.loaders.html_grid import Grid
from spring.data.loaders.html_layout import HEADINGS, LISTINGS, table_layout
from spring.data.loaders.html_tree import Element
from spring.data.loaders.superscripts import superscript

# Elements that begin and end a line of text.
_BLOCKS = """
    address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li listing main ol option p plaintext pre section summary
    table tbody td tfoot th thead tr ul xmp
"""
_BLOCK = frozenset(_BLOCKS.split())
_INLINE = "a abbr b cite code em i kbd label small span strong time"
_INLINE_NEIGHBOURS = frozenset(_INLINE.split())
_NUMBER = re.compile(r"\s*([-+]?\d{1,7})\s*", re.ASCII)
_CONTEXT = 40  # characters before a raised mark that tell what it is


@dataclass(slots=True)
class HtmlBlock:
    """A block and what tells the article from the rest of the page."""

    block: Block
    kind: str  # text, heading, item, row or listing
    linked: int = 0  # characters in links
    in_header: bool = False  # it stands in an element for the head of the whole page


def html_blocks(root: Element) -> list[HtmlBlock]:
    """The blocks of a pruned tree, in order. Takes time and memory linear in the page's size."""
    layout, rows = table_layout(root)
    reader = _Reader(layout, next(root.iter("msup"), None) is not None)
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if not isinstance(element.tag, str):
            reader.text(element.tail if event == "end" else None)
        elif event == "start":
            if element in rows and reader.plain_row(element, rows[element]):
                walk.skip_subtree()
            else:
                reader.start(element)
        else:
            reader.end(element)
    reader.flush()
    return reader.blocks


class _Reader:
    """Collects blocks; is told of each element's start and end in their order."""

    def __init__(self, layout: set[Element], powers: bool) -> None:
        self.blocks: list[HtmlBlock] = []
        self._layout, self._powers = layout, powers
        self._parts: list[str] = []
        self._linked = self._links = self._all_links = self._headers = self._articles = 0
        self._listing = 0  # how many listings are open
        self._level = 0  # of the open heading
        self._kind, self._prefix = "text", ""
        self._lists: list[int | None] = []  # the next number of each open list; None if it has none
        self._tables: list[Element] = []  # that are open
        self._row: list[tuple[str, int, int]] | None = None  # the cells of the open row of a table
        self._span = (1, 1)  # rows and columns of the open cell
        self._grid = Grid()
        self._raised: list[tuple[int, int]] = []  # where the open raised and lowered marks begin, and the links before

    def start(self, element: Element) -> None:
        tag = element.tag
        self._articles += tag in ("article", "main")
        self._headers += tag == "header" and not self._articles
        if tag in _BLOCK and self._row is None:
            self.flush()
        elif tag in _BLOCK or (tag in _INLINE_NEIGHBOURS and not self._listing and self._is_glued(element)):
            self._parts.append(" ")
        if tag in LISTINGS:
            self._listing += 1
        elif tag in HEADINGS or element.get("role") == "heading":
            self._level = HEADINGS.get(tag) or _number(element.get("aria-level"), 2, 1, 6)
        elif tag in ("ol", "ul", "menu", "dir"):
            self._lists.append(_number(element.get("start"), 1, -(10**6), 10**6) if tag == "ol" else None)
        elif tag == "li":
            self._start_item(element)
        elif tag == "table":
            self._tables.append(element)
            self._grid.clear()
        elif tag == "tr" and self._is_data(element):
            self._row, self._span = [], (0, 0)
        elif tag in ("td", "th") and self._row is not None:
            self._end_cell()
            rows = _number(element.get("rowspan"), 1, 0, 65_534) or 65_534  # 0: all that are left
            self._span = rows, _number(element.get("colspan"), 1, 1, 1_000)
        elif tag in ("sup", "sub"):
            self._raised.append((len(self._parts), self._all_links))
        elif tag == "a":
            self._links, self._all_links = self._links + 1, self._all_links + 1
        elif tag == "img" and re.search(r"\b(?:math|tex|latex|equation)", element.get("class") or ""):
            self.text(f" {element.get('alt') or ''} ")
        elif tag == "br" and self._listing:
            self._parts.append("\n")
        if self._powers and _is_power(element):
            self._parts.append("^")
        self.text(element.text)

    def plain_row(self, row: Element, cells: list[str]) -> bool:
        """Add a row of such cells as `table_layout` gives; whether that could be done here."""
        if self._row is not None or self._listing or self._links or self._level or not self._is_data(row):
            return False
        self.flush()
        self._parts, self._kind = [table_row(self._grid.row([(cell, 1, 1) for cell in cells]))], "row"
        self.flush()
        return True

    def end(self, element: Element) -> None:
        tag = element.tag
        if tag in ("sup", "sub") and self._raised:
            self._end_mark(element, *self._raised.pop())
        elif tag == "a":
            self._links -= 1
        elif tag == "tr" and self._row is not None:
            self._end_cell()
            row, self._row = self._grid.row(self._row), None
            self._parts, self._kind = [table_row(row)], "row"
            self.flush()
        elif tag in _BLOCK and self._row is not None:
            self._parts.append(" ")
        elif tag in _BLOCK and (tag != "br" or not self._listing):
            self.flush()
        if tag in ("ol", "ul", "menu", "dir") and self._lists:
            self._lists.pop()
        if tag in LISTINGS:
            self._listing -= 1
        elif tag in HEADINGS or element.get("role") == "heading":
            self.flush()
            self._level = 0
        elif tag == "li":
            self._prefix = ""
        elif tag == "table":
            self._tables.pop()
        self._headers -= tag == "header" and not self._articles
        self._articles -= tag in ("article", "main")
        self.text(element.tail)

    def text(self, text: str | None) -> None:
        """A string of the page; outside of listings white space is a space."""
        if text:
            if not self._listing and ("  " in text or not text.isprintable()):
                text = re.sub(r"[ \t\n\r\f]+", " ", text)
            self._parts.append(text)
            self._linked += len(text) if self._links else 0

    def flush(self) -> None:
        """End the block that is open."""
        if self._row is not None:
            return
        text = "".join(self._parts)
        if text.strip():
            kind = "heading" if self._level else "listing" if self._listing else self._kind
            block = Block(text if self._listing else self._prefix + text.strip(), self._level, bool(self._listing))
            self.blocks.append(HtmlBlock(block, kind, self._linked, self._headers > 0))
            self._prefix = ""
        self._parts, self._linked, self._raised = [], 0, []
        self._kind = "item" if self._lists else "text"

    def _is_data(self, row: Element) -> bool:
        return bool(self._tables) and self._tables[-1] not in self._layout and row not in self._layout

    def _start_item(self, element: Element) -> None:
        if self._row is not None or not self._lists:
            return
        self._kind, number = "item", self._lists[-1]
        if number is not None:
            number = _number(element.get("value"), number, -(10**6), 10**6)
            self._lists[-1], self._prefix = number + 1, f"{number}. "

    def _end_cell(self) -> None:
        """Put the open cell into the open row; what stands before the first cell is one if it is a text."""
        text = "".join(self._parts)
        if self._row is not None and (self._span != (0, 0) or text.strip()):
            self._row.append((text, *self._span))
        self._parts, self._raised = [], []

    def _end_mark(self, element: Element, start: int, links: int) -> None:
        """Write what stands raised or lowered."""
        if self._listing:
            return
        mark, before = "".join(self._parts[start:]), "".join(self._parts[max(0, start - 5) : start])[-_CONTEXT:]
        if element.tag == "sub":
            joined = mark.strip().isalpha() and before[-1:].isalnum()
            written = f"_{mark.strip()}" if joined else mark
        else:
            written = superscript(before, mark, element.tail or "", self._all_links > links or _is_link(element))
        self._parts[start:] = [written]

    def _is_glued(self, element: Element) -> bool:
        """Whether an inline element follows another without a space, though they are two words."""
        previous = element.getprevious()
        if previous is None or previous.tail or not self._parts:
            return False
        if previous.tag != element.tag and previous.tag != "label":
            return False
        before, after = self._parts[-1], element.text or ""
        if not before[-1:].isalnum() or not after[:1].isalnum():
            return False
        if previous.tag == "label" or (element.tag == "a" and min(len(before), len(after)) > 1):
            return True
        if min(len(before), len(after)) < 2 or before[-1].isupper():
            return False
        return (after[0].isupper() and after[1].islower()) or before[-1].isdigit() != after[0].isdigit()


def _is_power(element: Element) -> bool:
    """Whether it is the raised part of a formula."""
    above = element.getparent()
    return above is not None and above.tag == "msup" and element.getprevious() is not None


def _number(value: str | None, default: int, least: int, most: int) -> int:
    """An attribute's number within bounds."""
    match = _NUMBER.fullmatch(value) if value else None
    return min(max(int(match[1]), least), most) if match else default


def _is_link(mark: Element) -> bool:
    """Whether a raised mark is all that a link holds."""
    parent = mark.getparent()
    if parent is None or parent.tag != "a" or len(parent) > 1:
        return False
    return not f"{parent.text or ''}{mark.tail or ''}".strip()
