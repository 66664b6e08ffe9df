"""Load Markdown files: one page of what the marks mean, by markdown-it-py (CommonMark with tables).

Front matter, comments, tags and link targets are left out; code keeps its lines; HTML blocks are read as HTML.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from spring.data.cleaning import table_row
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.html_blocks import html_blocks
from spring.data.loaders.html_tree import parse, prune
from spring.data.loaders.superscripts import superscript

_FRONT_MATTER = re.compile(
    r"\s*(?:---[ \t]*\n(.*?\n)?(?:---|\.\.\.)|\+\+\+[ \t]*\n(.*?\n)?\+\+\+)[ \t]*(?:\n|$)", re.DOTALL
)
_KEY = re.compile(r"^[\w-]+[ \t]*[:=]", re.MULTILINE)
_TITLE = re.compile(r"""^title[ \t]*[:=][ \t]*(["']?)(.*?)\1[ \t]*$""", re.MULTILINE | re.IGNORECASE)
_DEEP = re.compile(r"^(?: {0,3}>){20,}", re.MULTILINE)  # markdown-it leaves out what is nested 100 times
_PARSER = MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"])
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def load_markdown(text: str) -> Content:
    """One page; its title is the front matter's, else the first heading of level 1."""
    body, title = _without_front_matter(text)
    blocks = markdown_blocks(body)
    title = title or next((block.text for block in blocks if block.level == 1), "")
    return Content([build_page(blocks)], [], clean_title(title))


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text without front matter."""
    text = _DEEP.sub("> ", text)
    return _Reader().read(_PARSER.parse(text))


def _without_front_matter(text: str) -> tuple[str, str]:
    """The text below the front matter, and the title in it."""
    match = _FRONT_MATTER.match(text)
    matter = (match[1] or match[2] or "") if match else ""
    if match is None or (matter.strip() and not _KEY.search(matter)):  # two thematic breaks
        return text, ""
    title = _TITLE.search(matter)
    return text[match.end() :], title[2] if title else ""


class _Reader:
    """Collects blocks from markdown-it's tokens."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._level = 0  # of the open heading
        self._prefix = ""  # of the list item that begins
        self._row: list[str] | None = None  # the cells of the open row of a table

    def read(self, tokens: Sequence[Token]) -> list[Block]:
        for token in tokens:
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
                    self._row.append(inline_text(token))
                case "inline":
                    self._add(inline_text(token))
                case "fence" | "code_block":
                    self.blocks.append(Block(token.content, preformatted=True))
                case "html_block":
                    self._add_html(token.content)
        return self.blocks

    def _add(self, text: str) -> None:
        self.blocks.append(Block(self._prefix + text, self._level))
        self._prefix = ""

    def _add_html(self, html: str) -> None:
        html = _COMMENT.sub("", html)
        if html.strip():
            root = parse(html)
            prune(root)
            self.blocks += (found.block for found in html_blocks(root))


def inline_text(token: Token) -> str:
    """What a reader sees of a line of text: the words of links, the descriptions of pictures, no tags."""
    parts: list[str] = []
    raised: list[int] = []
    children = token.children or []
    for place, child in enumerate(children):
        match child.type:
            case "text" | "code_inline":
                parts.append(child.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n\n")
            case "image":
                parts.append(inline_text(child))
            case "html_inline":
                tag = child.content.lower()
                if tag.startswith("<br"):
                    parts.append("\n\n")
                elif tag == "<sup>":
                    raised.append(len(parts))
                elif tag == "</sup>" and raised:
                    start = raised.pop()
                    after = children[place + 1].content if place + 1 < len(children) else ""
                    mark, before = "".join(parts[start:]), "".join(parts[max(0, start - 3) : start])
                    parts[start:] = [superscript(before[-40:], mark, after)]
    return "".join(parts)
