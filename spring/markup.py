"""The title and the text, not yet clean, of the two formats whose text lies among elements: Word and HTML.

A blank line parts what a reader sees as blocks, such as paragraphs and list items; the cells of a table's row
stand on one line. What does not show, such as comments, scripts and deleted words, is left out.
"""

import io
import re
from typing import Any

import docx
from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph

from spring.text import one_line, table_row

# --- Word ---

_W_PARAGRAPH, _W_ROW, _W_CELL, _W_TEXT = qn("w:p"), qn("w:tr"), qn("w:tc"), qn("w:t")
_W_SPACES = {qn("w:tab"): "\t", qn("w:br"): "\n\n", qn("w:cr"): "\n\n", qn("w:noBreakHyphen"): "-"}
# Text that is there a second time: for old versions of Word, and where it was before it was moved.
_W_COPIES = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", qn("w:moveFrom"))


def docx_text(data: bytes) -> tuple[str, str]:
    """The title and the text of a Word file. The title is its first heading, else that in its properties."""
    document = docx.Document(io.BytesIO(data))
    body, blocks, title = document.element.body, [], ""
    # python-docx's own walk and .text leave out content controls, text boxes and tracked insertions, and its
    # row.cells grows with the spans that a file claims. In the XML below, all text is alike.
    for copy in list(body.iter(*_W_COPIES)):
        copy.getparent().remove(copy)
    for element in body.iter(_W_PARAGRAPH, _W_ROW):
        if next(element.iterancestors(_W_PARAGRAPH, _W_ROW), None) is not None:
            continue  # read with the row, or the paragraph of the text box, that holds it
        if element.tag == _W_ROW:
            blocks.append(_row_text(element))
            continue
        style = None if title else Paragraph(element, document).style
        if style and style.name in ("Title", "Heading 1"):
            title = _paragraph_text(element).strip()
        else:
            blocks.append(_paragraph_text(element))
    core = document.core_properties.title
    # "Word Document" is what python-docx makes up for a file without properties.
    return title or (core if core != "Word Document" else ""), "\n\n".join(blocks)


def _row_text(row: Any) -> str:
    cells = [cell for cell in row.iter(_W_CELL) if next(cell.iterancestors(_W_ROW)) is row]
    return table_row(" ".join(map(_paragraph_text, cell.iter(_W_PARAGRAPH))) for cell in cells)


def _paragraph_text(paragraph: Any) -> str:
    return "".join(_W_SPACES.get(part.tag) or part.text or "" for part in paragraph.iter(_W_TEXT, *_W_SPACES))


# --- HTML ---

# Where a line of text begins, and ends.
_BLOCKS = """
    address article aside blockquote body br caption dd details dialog div dl dt fieldset figcaption figure
    footer form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol option p pre section summary table td th tr ul
"""
_BLOCK = frozenset(_BLOCKS.split())
# What a reader does not see; rt and rp say how to pronounce Chinese characters.
_UNSEEN = frozenset(["head", "noscript", "rp", "rt", "script", "style", "template"])
_CELL = "\0"  # begins a cell; no text file has it


def html_text(text: str) -> tuple[str, str]:
    """The title and the text of an HTML page. The title is the first h1 with text, else that for the browser's tab.

    A row of a table becomes one line, unless it lays out the page: then there is a table in it.
    """
    # The newline keeps Beautiful Soup from taking a short text for the name of a file.
    soup = BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*>", "", text) + "\n", "lxml")
    page = _HtmlText()
    stack = [(soup.name, soup.children)]  # not recursion: pages can be nested deeper than Python's stack
    while stack:
        name, children = stack[-1]
        node = next(children, None)
        if node is None:
            stack.pop()
            page.end(name)
        elif isinstance(node, Tag):
            page.start(node.name)
            stack.append((node.name, node.children))
        elif type(node) is NavigableString:  # not a comment or a script
            page.data(node)
    return page.heading or "".join(page.title), "".join(page.text)


class _HtmlText:
    """Collects a page's text, told of each element's start, its strings and its end, in their order."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.title: list[str] = []
        self.heading = ""  # the first h1 with text, which then is not in the text
        self.heading_start = self.unseen = 0
        self.in_title = False
        self.row: int | None = None  # where the row of a table begins; None outside, and if it holds a table

    def start(self, tag: str) -> None:
        self.unseen += tag in _UNSEEN
        self.in_title = tag == "title" and not self.title
        if tag in _BLOCK:
            self.text.append("\n\n")
        if tag == "h1":
            self.heading_start = len(self.text)
        elif tag in ("table", "tr"):
            self.row = len(self.text) if tag == "tr" else None
        elif tag in ("td", "th"):
            self.text.append(_CELL)

    def data(self, data: str) -> None:
        if self.in_title:
            self.title.append(data)
        if not self.unseen:
            self.text.append(re.sub(r"\s+", " ", data))

    def end(self, tag: str) -> None:
        self.unseen -= tag in _UNSEEN
        self.in_title = False
        if tag == "h1" and not self.heading:
            self.heading = one_line("".join(self.text[self.heading_start :]))
            del self.text[self.heading_start :]
        elif tag == "tr" and self.row is not None:
            self.text[self.row :] = [table_row("".join(self.text[self.row :]).split(_CELL))]
            self.row = None
        if tag in _BLOCK:
            self.text.append("\n\n")
