"""The numbers that Word writes before list items and headings (ISO/IEC 29500-1, 17.9).

A paragraph names a list (`num`) and a level; the list names the levels' forms (`abstractNum`), shared with others.
All lists of the same forms count on together, unless one of them starts anew (`startOverride`).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from spring.data.loaders.docx_package import Element, is_on, value, w, whole
from spring.data.loaders.docx_styles import Styles

_LEVELS = 9
_LONGEST = 100  # characters of a number with the words around it
_ROMAN = [(1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x")]
_ROMAN += [(9, "ix"), (5, "v"), (4, "iv"), (1, "i")]
_LATIN, _RUSSIAN = "abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшщыэюя"
_HAN = "〇一二三四五六七八九"


class _Level(NamedTuple):
    start: int
    form: str  # such as `decimal`
    text: str  # `%1.%2`: the numbers of the first and the second level
    restart: int | None  # the level, from 1, from which on another begins this anew; 0: none does; None: all above
    legal: bool  # all numbers are decimal
    style: str  # whose paragraphs have this level


class Numbering:
    """Counts the numbered paragraphs of a document, in their order."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._styles = styles
        self._forms = {} if root is None else {e.get(w("abstractNumId")): e for e in root.iter(w("abstractNum"))}
        self._lists = {} if root is None else {e.get(w("numId")): e for e in root.iter(w("num"))}
        self._levels: dict[str, tuple[str, list[_Level], dict[int, int]]] = {}
        self._counts: dict[str, list[int | None]] = {}

    def next(self, number: str, level: int | None, style: str) -> str:
        """Count a paragraph, and give what stands before it; "" for bullets and paragraphs that are in no list.

        Args:
            number: the id of a list.
            level: from 0; None: that of the paragraph's style.
            style: the id of the paragraph's style.

        """
        if number not in self._lists:
            return ""
        if number not in self._levels:
            self._levels[number] = self._read(number)
        form, levels, starts = self._levels[number]
        if level is None:
            level = next((place for place, found in enumerate(levels) if style and found.style == style), 0)
        if level >= len(levels):
            return ""
        counts = self._counts.setdefault(form, [None] * _LEVELS)
        before = counts[level]
        counts[level] = levels[level].start if before is None else before + 1
        if level in starts:  # once, where the list begins
            counts[level] = starts.pop(level)
        for below in range(level + 1, len(levels)):
            restart = levels[below].restart
            if restart is None or level < restart:
                counts[below] = None
        return _written(levels, counts, level)

    def _read(self, number: str) -> tuple[str, list[_Level], dict[int, int]]:
        """The id of a list's forms, these, and where its levels start anew."""
        element = self._lists[number]
        form = value(element, "abstractNumId") or ""
        link = value(self._forms.get(form), "numStyleLink")  # the forms stand at another list, that of a style
        linked = self._lists.get(self._styles.numbering_of(link)) if link else None
        form = form if linked is None else value(linked, "abstractNumId") or ""
        found = {} if form not in self._forms else _levels_in(self._forms[form])
        starts: dict[int, int] = {}
        for override in element.iter(w("lvlOverride")):
            found |= _levels_in(override)
            start = value(override, "startOverride")
            if start is not None:
                starts[whole(override.get(w("ilvl")), 0, 0, 8)] = whole(start, 1)
        levels = [found.get(place, _Level(1, "none", "", None, False, "")) for place in range(_LEVELS)]
        return form, levels, starts


def _levels_in(parent: Element) -> dict[int, _Level]:
    return {
        whole(element.get(w("ilvl")), 0, 0, 8): _Level(
            whole(value(element, "start"), 0),
            value(element, "numFmt") or "decimal",
            "" if is_on(element.find(w("rPr")), "vanish") else (value(element, "lvlText") or "")[:_LONGEST],
            None if value(element, "lvlRestart") is None else whole(value(element, "lvlRestart"), 0, 0, _LEVELS),
            bool(is_on(element, "isLgl")),
            value(element, "pStyle") or "",
        )
        for element in parent.iterchildren(w("lvl"))
    }


def _written(levels: list[_Level], counts: list[int | None], level: int) -> str:
    own = levels[level]
    if own.form == "bullet":
        return ""

    def number(match: re.Match[str]) -> str:
        place = int(match[1]) - 1
        count = counts[place]
        form = "decimal" if own.legal else levels[place].form
        return format_number(levels[place].start if count is None else count, form)

    return re.sub(r"%([1-9])", number, own.text)[:_LONGEST].strip()


def format_number(number: int, form: str) -> str:
    """A number in one of Word's forms (17.18.59); in decimal where the form is not known or too small for it."""
    if form in ("none", "bullet"):
        return ""
    write = _FORMS.get(form)
    return (write(number) if write and 0 < number < 4_000 else "") or str(number)


def _roman(number: int) -> str:
    written = ""
    for weight, letters in _ROMAN:
        count, number = divmod(number, weight)
        written += letters * count
    return written


def _letters(alphabet: str) -> Callable[[int], str]:
    """a, b, ... z, aa, bb, ..."""

    def write(number: int) -> str:
        times, place = divmod(number - 1, len(alphabet))
        return alphabet[place] * (times + 1) if times < 10 else ""

    return write


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _han(number: int) -> str:
    tens, ones = divmod(number, 10)
    if tens > 9:
        return ""
    return (_HAN[tens] if tens > 1 else "") + ("十" if tens else "") + (_HAN[ones] if ones else "")


_FORMS: dict[str, Callable[[int], str]] = {
    "decimalZero": lambda number: f"{number:02}",
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "lowerLetter": _letters(_LATIN),
    "upperLetter": _letters(_LATIN.upper()),
    "russianLower": _letters(_RUSSIAN),
    "russianUpper": _letters(_RUSSIAN.upper()),
    "ordinal": _ordinal,
    "decimalEnclosedCircle": lambda number: chr(0x245F + number) if number <= 20 else "",
    **dict.fromkeys(("chineseCounting", "chineseCountingThousand", "japaneseCounting", "taiwaneseCounting"), _han),
}
