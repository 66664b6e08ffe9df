"""From the lines of a PDF's pages to paragraphs, list items, table rows and headings.

A word or a sentence that crosses a line or a page is put together again.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from spring.data.cleaning import CJK
from spring.data.loaders.content import Block
from spring.data.loaders.pdf_lines import LARGER, Line, PageLines, usual_height
from spring.data.loaders.pdf_running import remove_line_numbers, remove_running
from spring.data.types import LONGEST_TITLE

_MOST_HEADINGS = 0.4  # of all lines; where there are more, large letters mean nothing
_LONGEST_BOLD = 100  # characters of a heading that is only bold
_LONGEST_REST = 1_000  # characters of a sentence that are fetched from the next page

# Bullets, those of symbol fonts (private use) too, then numbers and letters.
_BULLET = r"[•‣◦▪▫■□●○◆◇▶►➢➤✓✔❖∙·⁃※★☆\uf000-\uf0ff]"
_LETTERED = r"\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)]"
_ITEM = re.compile(rf"{_BULLET}|[-*–—]|{_LETTERED}|\d+(?:\.\d+)+\.?")
_MARK = re.compile(rf"(?:{_BULLET}\s*|[-*–—]\s+|{_LETTERED}\s+)(?=\S)")
_PRIVATE_BULLET = re.compile("^[\uf000-\uf0ff]\\s*")
_SENTENCE_END = re.compile("[.!?…。！？][\"'”’»)\\]]*$")
_FIRST_SENTENCE = re.compile("[.!?…][\"'”’»)\\]]*(?=\\s|$)|[。！？]")
_WORD = re.compile(r"[^\W_]+(?:[-‐'’][^\W_]+)*")
_AND = frozenset(["and", "or", "und", "oder", "bzw", "et", "ou", "y", "o", "to", "bis", "en", "of"])


@dataclass(slots=True)
class _Piece:
    """A block that is being put together. level: of a heading. row: of a table. open: it may go on."""

    text: str
    level: int
    row: bool
    last: Line
    open: bool = True


def layout(pages: Sequence[PageLines], outline: Mapping[int, Mapping[str, int]]) -> list[list[Block]]:
    """The blocks of each page.

    Args:
        pages: lines in their order.
        outline: by page, from 0: the titles of its bookmarks, as `heading_key` writes them, with their levels.

    """
    remove_running(pages)
    remove_line_numbers(pages)
    lines = [line for page in pages for line in page.lines]
    words = Counter(word for line in lines for word in _WORD.findall(line.text.lower()))
    sizes = _Sizes(lines)
    laid = [_pieces(page, sizes, outline.get(number, {}), words) for number, page in enumerate(pages)]
    for upper, lower in pairwise(laid):
        _join_pages(upper, lower, words)
    return [[Block(piece.text.replace("\n", " "), piece.level) for piece in pieces] for pieces in laid]


def heading_key(text: str) -> str:
    """A heading's letters and digits, by which a bookmark is found on its page; its number does not count."""
    return "".join(re.findall(r"[^\W_]+", re.sub(r"^\W*[\dA-Z]+(?:\.\d+)*\.?\s", "", text).lower()))


# --- headings ---


class _Sizes:
    """Which lines are headings, by their letters: larger than most, or bold where most are not."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._usual = usual_height(lines)
        self._bold = sum(line.bold for line in lines) < 0.3 * len(lines)
        large = [line for line in lines if self._is_large(line)]
        shown = large if len(large) <= _MOST_HEADINGS * len(lines) or len(lines) < 5 else []
        sizes = sorted({round(line.height) for line in shown}, reverse=True)
        self._levels = {size: min(level, 6) for level, size in enumerate(sizes, 1)}

    def _is_large(self, line: Line) -> bool:
        return line.height > LARGER * self._usual and _may_head(line)

    def level(self, line: Line, following: Line | None) -> int:
        """The level of a heading, from 1; 0 for any other line."""
        if self._is_large(line):
            return self._levels.get(round(line.height), 0)
        short = len(line.text) <= _LONGEST_BOLD and not re.search(r"[.,;:]$", line.text)
        if self._bold and line.bold and short and _may_head(line) and line.height > 0.9 * self._usual:
            return 0 if following is None else min(len(self._levels) + 1, 6)
        return 0


def _may_head(line: Line) -> bool:
    text = line.text
    return (
        len(line.cells) == 1
        and len(text) <= LONGEST_TITLE
        and len(re.findall(r"[^\W\d_]", text)) >= max(2, len(text) / 3)
        and not line.hyphen
    )


# --- paragraphs ---


def _pieces(page: PageLines, sizes: _Sizes, outline: Mapping[str, int], words: Counter[str]) -> list[_Piece]:
    edges = _right_edges(page.lines)
    pieces: list[_Piece] = []
    for place, line in enumerate(page.lines):
        if len(line.cells) > 1 and _ITEM.fullmatch(line.cells[0]):
            line.cells[:2] = [" ".join(line.cells[:2])]
        text = _PRIVATE_BULLET.sub("• ", line.text)
        following = page.lines[place + 1] if place + 1 < len(page.lines) else None
        level = sizes.level(line, following)
        if outline and (marked := outline.get(heading_key(text))) and len(line.cells) == 1:
            level = level or marked
        row = len(line.cells) > 1 and not level
        last = pieces[-1] if pieces else None
        if last is not None and not row and _goes_on(last, line, text, level, edges):
            last.text = joined(last.text, text, last.last.hyphen, words)
            last.last = line
        else:
            pieces.append(_Piece(text, level, row, line))
    return pieces


def _right_edges(lines: Sequence[Line]) -> dict[int, float]:
    """By where lines begin, in steps of 8 points: where the longest of them ends."""
    edges: dict[int, float] = {}
    for line in lines:
        for column in (round(line.left / 8) - 1, round(line.left / 8), round(line.left / 8) + 1):
            edges[column] = max(edges.get(column, 0.0), line.right)
    return edges


def _goes_on(piece: _Piece, line: Line, text: str, level: int, edges: Mapping[int, float]) -> bool:
    """Whether a line goes on with a paragraph or a heading."""
    last = piece.last
    if piece.level != level or piece.row or abs(last.height - line.height) > 0.25 * last.height:
        return False
    if level and len(piece.text) + len(text) >= LONGEST_TITLE:
        return False
    if last.hyphen or re.search(r"\w[-‐]$", piece.text):
        return True
    if _MARK.match(text) or (_SENTENCE_END.search(piece.text) and _counts_on(piece.text, text)):
        return False
    down = last.bottom - line.bottom
    if down < 0.3 * line.height or down > 8 * line.height:  # a new column, or a new part of the page
        return not level and not _SENTENCE_END.search(piece.text) and (text[:1].islower() or line.right > last.right)
    if down > 1.75 * line.height:
        return not level and text[:1].islower() and not _SENTENCE_END.search(piece.text) and down < 3 * line.height
    if level:
        return True
    if last.bold and not line.bold and piece.text.endswith((".", ":")):  # a bold line above, such as a label
        return False
    # A line that had room for the next line's first word ends on purpose, unless a sentence goes on.
    first = text.split(" ", 1)[0]
    room = edges.get(round(last.left / 8), last.right) - last.right
    word = (len(first) + 1) * (line.right - line.left) / max(len(text), 1)
    ended = _SENTENCE_END.search(piece.text) or piece.text.endswith(":")
    if room > word + 0.5 * line.height and (ended or not text[:1].islower()):
        return room < 0.15 * (last.right - last.left) and not ended
    # A first line is often moved to the right.
    return not (ended and line.left - last.left > 0.8 * line.height and line.left - last.left < 5 * line.height)


def _counts_on(before: str, after: str) -> bool:
    """Whether two texts begin with a number and the next one, as items of a list do."""
    first, second = re.match(r"\d{1,3} ", before), re.match(r"\d{1,3} ", after)
    return first is not None and second is not None and int(second[0]) == int(first[0]) + 1


def joined(before: str, after: str, hyphen: bool, words: Mapping[str, int]) -> str:
    """Two lines of one paragraph as one: with a space, or none in Chinese and Japanese, or a word put together.

    Args:
        before: it ends with the first part of a word if `hyphen` or if it ends with one.
        after: what follows.
        hyphen: whether there was a hyphen at the end of `before`, which is not in its text.
        words: how often each word of the document occurs, in small letters.

    """
    if re.search(rf"[{CJK}、，。；：]$", before) and re.match(rf"[{CJK}「『（《]", after):
        return before + after
    if before.endswith("\u00ad"):
        return before[:-1] + after
    dash = re.search(r"[-‐–]$", before)
    if not hyphen and not (dash and re.search(r"\w.$", before)):
        return f"{before} {after}"
    mark = dash[0] if dash and not hyphen else "-"
    start = before if hyphen else before[:-1]
    first, second = re.search(r"[^\W_]*$", start), re.match(r"[^\W_]*", after)
    left, right = (first[0] if first else ""), (second[0] if second else "")
    if right.lower() in _AND and words.get(f"{left}{right}".lower(), 0) == 0:
        return f"{start}{mark} {after}"  # `pre- and post-war`
    kept = f"{start}{mark}{after}"
    if mark == "–" or not (left.isalpha() and right.isalpha() and right.islower()):
        return kept
    whole, parted = words.get(f"{left}{right}".lower(), 0), words.get(f"{left}-{right}".lower(), 0)
    if whole or parted:
        return kept if parted > whole else start + after
    compound = re.search(r"[^\W_]+-$", start[: len(start) - len(left)])  # `state-of-the-`
    known = min(words.get(left.lower(), 0), words.get(right.lower(), 0)) if len(left) > 2 and len(right) > 3 else 0
    return kept if compound or known > 1 else start + after


# --- pages ---


def _join_pages(upper: list[_Piece], lower: list[_Piece], words: Mapping[str, int]) -> None:
    """Fetch the rest of a sentence from the next page."""
    if not upper or not lower:
        return
    last, first = upper[-1], lower[0]
    if last.level or last.row or first.level or first.row or _MARK.match(first.text):
        return
    broken = last.last.hyphen or re.search(r"\w[-‐]$", last.text)
    if not broken and (_SENTENCE_END.search(last.text) or last.text.endswith(":") or not first.text[:1].islower()):
        return
    end = _FIRST_SENTENCE.search(first.text)
    cut = end.end() if end else len(first.text)
    if cut > _LONGEST_REST:
        return
    last.text = joined(last.text, first.text[:cut], last.last.hyphen, words)
    last.last = first.last
    first.text = first.text[cut:].lstrip()
    if not first.text:
        lower.pop(0)
