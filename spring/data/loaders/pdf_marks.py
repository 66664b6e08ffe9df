"""Raised digits of a PDF as what they mean: `10^6`, `1932 [4]`.

PDFium gives them as any others, `19324`, and often begins a line with them or behind them. By its size and its place
a raised digit is told from others.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from spring.data.loaders.superscripts import superscript

Box: TypeAlias = tuple[float, float, float, float]  # left, right, bottom and top
Place: TypeAlias = Callable[[int], Box | None]  # of the character at an index of the page's text

_SMALLER, _RAISED = 0.85, 0.12  # heights of the letter before it that a raised digit has, and is moved up, at least
_LOWER = 0.3  # heights by which its top may be lower
_SPACE = 0.12  # heights between a word and what is no part of it
_CONTEXT = 40  # characters before a raised mark that tell what it is
_LONGEST_MARK = 12  # characters
_DIGITS, _LEADING = re.compile(r"\d+"), re.compile(r"[-+−–]?\d")
_BEHIND_WORDS = frozenset(",.;:!?)]}…”’»、。，")


class Marks:
    """Reads the lines of a page, one after the other.

    Args:
        text: of the page.
        place: where a character of it stands.

    """

    def __init__(self, text: str, place: Place) -> None:
        self._text, self._place = text, place
        self._last = -1  # the last character that was read
        self._before = ""  # the end of the line that was read

    def read(self, cells: Sequence[tuple[int, str]], bottom: float, top: float) -> tuple[list[str], bool]:
        """The cells of the next line with their marks, and whether it goes on within the last word of the line before.

        Args:
            cells: each with its offset in the text.
            bottom: of the line.
            top: of the line.

        """
        start, first = cells[0]
        lead = self._lead(start, first)
        glued = lead > 0 or (first[0] in _BEHIND_WORDS and self._touches(self._place(start)))
        low = bottom + 0.5 * _RAISED * (top - bottom)
        read = [self._with_marks(start, cell, lead if start == cells[0][0] else 0, low) for start, cell in cells]
        start, cell = cells[-1]
        self._last, self._before = start + len(cell) - 1, read[-1][-_CONTEXT:]
        return read, glued

    def _touches(self, box: Box | None) -> bool:
        """Whether a character stands directly behind the last one of the line before."""
        before = self._place(self._last) if self._last >= 0 else None
        if box is None or before is None or abs(before[2] - box[2]) > before[3] - before[2]:
            return False
        return -0.1 < (box[0] - before[1]) / max(before[3] - before[2], 0.1) < _SPACE

    def _lead(self, start: int, cell: str) -> int:
        """The characters of the raised mark that a line begins with, as the last word of the line before goes on."""
        box = self._place(start) if _LEADING.match(cell) else None
        if box is None or not self._touches(box) or not _is_raised(box, self._place(self._last)):
            return 0
        return self._end(start, cell, 0, box)

    def _with_marks(self, start: int, cell: str, lead: int, low: float) -> str:
        """A cell with its marks. low: a character whose bottom is below this height is not raised."""
        parts, done = list[str](), lead
        if lead:
            parts.append(superscript(self._before, cell[:lead], cell[lead : lead + 2]))
        for digits in _DIGITS.finditer(cell, lead):
            if digits.start() >= done and (mark := self._mark(start, cell, digits.end() - 1, done, low)):
                parts.append(cell[done : mark[0]])
                after = self._text[start + mark[1] : start + mark[1] + 3].replace("\r\n", "")
                parts.append(superscript("".join(parts[-2:])[-_CONTEXT:], cell[mark[0] : mark[1]], after))
                done = mark[1]
        return "".join([*parts, cell[done:]]).rstrip() if parts else cell

    def _mark(self, start: int, cell: str, index: int, least: int, low: float) -> tuple[int, int] | None:
        """Where the raised mark begins and ends that the character at an index is part of; None if it is not raised."""
        box = self._place(start + index)
        if box is None or box[2] < low:
            return None
        begin = index
        while begin > max(least, index - _LONGEST_MARK) and self._is_level(start, cell, begin - 1, box):
            begin -= 1
        if begin == least or cell[begin - 1].isspace() or not _is_raised(box, self._place(start + begin - 1)):
            return None
        return begin, self._end(start, cell, index, box)

    def _end(self, start: int, cell: str, index: int, box: Box) -> int:
        """Where the characters end that stand as high as the one at an index, whose box is given."""
        end = index + 1
        while end < min(len(cell), index + _LONGEST_MARK) and self._is_level(start, cell, end, box):
            end += 1
        return end

    def _is_level(self, start: int, cell: str, index: int, box: Box) -> bool:
        other = None if cell[index].isspace() else self._place(start + index)
        height = box[3] - box[2]
        return other is not None and abs(other[2] - box[2]) < 0.1 * height and abs(other[3] - box[3]) < 0.2 * height


def _is_raised(box: Box, before: Box | None) -> bool:
    """Whether a character is smaller than the one before it, and higher."""
    if before is None:
        return False
    usual = before[3] - before[2]
    smaller = box[3] - box[2] < _SMALLER * usual
    return smaller and box[2] - before[2] > _RAISED * usual and before[3] - box[3] < _LOWER * usual
