"""Load HTML files: one page.

A blank line parts what a reader sees as blocks, such as paragraphs and list items; the cells of a table's row stand
on one line. What does not show, such as comments and scripts, is left out.
"""

import re

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from spring.data.cleaning import one_line, table_row
from spring.data.loaders.content import Content, clean_page

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


def load_html(text: str) -> Content:
    """One page of the whole file."""
    title, body = html_text(text)
    return Content([clean_page(body, title)], [])
