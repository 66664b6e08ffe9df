"""Load Markdown files: one page of what the marks mean, by markdown-it-py (CommonMark with tables).

Front matter, comments, tags and link targets are left out; code keeps its lines; HTML blocks are read as HTML.
"""

import re

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.html_blocks import html_blocks
from spring.data.loaders.html_tree import parse, prune
from spring.data.loaders.markdown_inline import MarkdownText

_FRONT_MATTER = re.compile(
    r"\s*(?:---[ \t]*\n(.*?\n)?(?:---|\.\.\.)|\+\+\+[ \t]*\n(.*?\n)?\+\+\+)[ \t]*(?:\n|$)", re.DOTALL
)
_KEY = re.compile(r"^[\w-]+[ \t]*[:=]", re.MULTILINE)
_TITLE = re.compile(r"^title[ \t]*[:=](.*)$", re.MULTILINE | re.IGNORECASE)
_DEEP = re.compile(r"^(?: {0,3}>){20,}", re.MULTILINE)  # markdown-it leaves out what is nested 100 times


def load_markdown(text: str) -> Content:
    """One page; its title is the front matter's, else the first heading of level 1."""
    body, title = _without_front_matter(text)
    blocks = markdown_blocks(body)
    title = title or next((block.text for block in blocks if block.level == 1), "")
    return Content([build_page(blocks)], [], clean_title(title))


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text without front matter."""
    text = _DEEP.sub("> ", text)
    return _Reader(MarkdownText(text)).read()


def _without_front_matter(text: str) -> tuple[str, str]:
    """The text below the front matter, and the title in it."""
    match = _FRONT_MATTER.match(text)
    matter = (match[1] or match[2] or "") if match else ""
    if match is None or (matter.strip() and not _KEY.search(matter)):  # two thematic breaks
        return text, ""
    title = _TITLE.search(matter)
    return text[match.end() :], _unquoted(title[1].strip()) if title else ""


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


class _Reader:
    """Collects blocks from markdown-it's tokens."""

    def __init__(self, text: MarkdownText) -> None:
        self._text = text
        self.blocks: list[Block] = []
        self._level = 0  # of the open heading
        self._prefix = ""  # of the list item that begins
        self._row: list[str] | None = None  # the cells of the open row of a table

    def read(self) -> list[Block]:
        for token in self._text.blocks:
            match token.type:
                case "heading_open":
                    self._level = int(token.tag[1:])
                case "heading_close":
                    self._level = 0
                case "list_item_open":
                    self._prefix = f"{token.info}{token.markup} " if token.info else "- "
                case "list_item_close":
                    self._prefix = ""
                case "tr_open":
                    self._row = []
                case "tr_close":
                    self._add(table_row(self._row or []))
                    self._row = None
                case "inline" if self._row is not None:
                    self._row.append(self._text.inline(token.content))
                case "inline":
                    self._add(self._text.inline(token.content))
                case "fence" | "code_block":
                    self.blocks.append(Block(token.content, preformatted=True))
                case "html_block":
                    self._add_html(token.content)
        return self.blocks

    def _add(self, text: str) -> None:
        self.blocks.append(Block(self._prefix + text, self._level))
        self._prefix = ""

    def _add_html(self, html: str) -> None:
        if not (html.startswith("<!--") and html.find("-->") == len(html.rstrip()) - 3):  # a comment, as most are
            root = parse(html)
            prune(root)
            self.blocks += (found.block for found in html_blocks(root))
