"""Parse Markdown with markdown-it-py: its blocks, and what a reader sees of a line of text.

The library alone would take twice the time, as it makes tokens of every line, and addresses of every link, and time
quadratic in the number of brackets that are never closed.
"""

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.helpers import parseLinkDestination, parseLinkLabel, parseLinkTitle
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from spring.data.loaders.superscripts import superscript

_SIGNS = re.compile(r"[`*\[\\_<&~]|  \n")  # text without any of them is what it says;
_MARKS = re.compile(  # so is text with signs that are no marks
    r"[`*\[]|\\[!-/:-@\[-`{-~\n]|(?<!\w)_|_(?!\w)|<[A-Za-z/!?]|&[#\w]|~~|  \n"
)
_LETTER = r"[^\\`*_\[\]<&~\n]"
_EDGE = r"[^\s\\`*_\[\]<&~]"
_WORDS = rf"{_EDGE}(?:{_LETTER}*{_EDGE})?"
_TARGET = r'\]\((?:[^\s<>()\\`]|\([^\s<>()\\`]*\))*(?: "[^"\\\n]*")?\)'
_EMPHASIS = rf"\*\*\*({_WORDS})\*\*\*|\*\*({_WORDS})\*\*|\*({_WORDS})\*"
_SIMPLE = (  # marks with nothing but words inside, each in a group
    r"(?<!`)`([^`\n]+)`(?!`)"  # code
    rf"|!?\[({_LETTER}*){_TARGET}|\[`([^`\n]+)`{_TARGET}|\[!\[({_LETTER}*){_TARGET}{_TARGET}"  # links and pictures
    rf"|\[(?:{_EMPHASIS}){_TARGET}|(?<![^\s(])(?:{_EMPHASIS})(?![^\s.,;:!?)])"
    r"|\\([!-/:-@\[-`{-~])"  # a sign that is no mark
    r"|<!-- [^-<>`\n]* -->"
)
_WITH_REFERENCES = re.compile(_SIMPLE)
_WITHOUT = re.compile(rf"{_SIMPLE}|\[(\[{_LETTER}*\]){_TARGET}|(\[{_LETTER}*\])(?!\()")  # nothing in brackets is a link
_ADDRESS = re.compile(r"[^\s<>()\\&\x00-\x1f\x7f]+(?=[) ]|$)")  # of nearly every link
_STEPS = 10, 1_000_000  # characters that are searched for the ends of links: for each of the text, and beyond
_STEPS_LEFT = "steps left"


def _link_end(state: StateInline, start: int, disableNested: bool = False) -> int:
    """Where the label of a link ends; -1 if it does not, or if too much was searched for those that do not."""
    left = state.env[_STEPS_LEFT]
    end = parseLinkLabel(state, start, disableNested) if left > 0 else -1
    if end < 0:
        state.env[_STEPS_LEFT] = left - (state.posMax - start)
    return end


def _address(text: str, start: int, end: int) -> Any:
    found = _ADDRESS.match(text, start, end)
    return SimpleNamespace(ok=True, pos=found.end(), str="") if found else parseLinkDestination(text, start, end)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": 100}).enable(["table", "strikethrough"])
    parser.disable(["inline", "text_join"])  # `MarkdownText.inline` does it where there is something to do
    helpers: Any = SimpleNamespace(
        parseLinkLabel=_link_end, parseLinkDestination=_address, parseLinkTitle=parseLinkTitle
    )
    unchanged: Any = {"helpers": helpers, "normalizeLink": lambda url: url, "validateLink": lambda url: True}
    vars(parser).update(unchanged)  # addresses are left out
    return parser


_PARSER = _parser()


class MarkdownText:
    """A text: its blocks as markdown-it's tokens, and the lines within them. References to links are known in all."""

    def __init__(self, text: str) -> None:
        self._state: dict[str, Any] = {_STEPS_LEFT: len(text) * _STEPS[0] + _STEPS[1]}
        self.blocks: Sequence[Token] = _PARSER.parse(text, self._state)
        self._simple = _WITH_REFERENCES if self._state.get("references") else _WITHOUT

    def inline(self, text: str) -> str:
        """What a reader sees of lines of text: the words of links, the descriptions of pictures, no tags."""
        if not _SIGNS.search(text):
            return text.replace("\n", " ")
        parts = self._simple.split(text)
        if not _MARKS.search(".".join(parts[:: self._simple.groups + 1])):
            return "".join(filter(None, parts)).replace("\n", " ")
        return _shown(_PARSER.inline.parse(text, _PARSER, self._state, []))


def _shown(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    raised: list[int] = []
    for place, token in enumerate(tokens):
        match token.type:
            case "text" | "text_special" | "code_inline":
                parts.append(token.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n\n")
            case "image":
                parts.append(_shown(token.children or []))
            case "html_inline":
                tag = token.content.lower()
                if tag.startswith("<br"):
                    parts.append("\n\n")
                elif tag == "<sup>":
                    raised.append(len(parts))
                elif tag == "</sup>" and raised:
                    start = raised.pop()
                    after = tokens[place + 1].content if place + 1 < len(tokens) else ""
                    mark, before = "".join(parts[start:]), "".join(parts[max(0, start - 3) : start])
                    parts[start:] = [superscript(before[-40:], mark, after)]
    return "".join(parts)
