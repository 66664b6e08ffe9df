"""Find the places where a text may be cut, each by what begins there and with the words before it.

A Chinese or Japanese character counts as half a word; in Thai, Lao, Khmer and Burmese five characters count as one.
Takes time linear in the text.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from spring.data.cleaning import CJK, CLOSING, HAN_HIRAGANA, KATAKANA, OPENING, SOUTHEAST_ASIAN
from spring.data.types import LONGEST_TITLE

_LONGEST_WORD = 500  # characters; what is longer is data, such as base64
_LONGEST_ROW = 3  # pieces; a longer row of a table may be cut
_MOST_MARKS = 50  # combining marks in a row that are no nonsense
_ATOM = re.compile(  # 1: one ideograph or a run of Katakana, 2: any other run; 3: the space after it
    rf"(?:[{OPENING}]*([{KATAKANA}]{{1,{_LONGEST_WORD}}}|[{HAN_HIRAGANA}])"
    rf"[\ufe00-\ufe0f\u3099\u309a\U000e0100-\U000e01ef]*[{CLOSING}]*"
    rf"|([{OPENING}]*[^\s{CJK}{OPENING}]+|[{OPENING}]+))(\s*)"
)
_SOUTHEAST = re.compile(f"[{SOUTHEAST_ASIAN}]")
_UNSPACED = re.compile(f"[{CJK}{OPENING}{SOUTHEAST_ASIAN}]")
_SENTENCE_ENDS = frozenset(".!?…。！？．।॥។؟")
_CLOSING_QUOTES = "\"'”’»)]」』）》"
_MAY_END = _SENTENCE_ENDS | set(_CLOSING_QUOTES)
# Words whose full stop ends no sentence, mostly: English, German, French, Spanish, Italian, Dutch, Russian.
_SHORT = """
    al approx art assn ave ca capt cf ch cm co col corp dept dist dr ed eds eg esp est etc ex ext fig figs ft gen gov
    hon hr ibid ie inc jr lt ltd max mr mrs ms mt min nb no nos nr op para pl pp prof ref refs rep rev sec sen sgt
    sr st str supp tel vgl viz vol vols vs abb abs allg bd bes betr bspw bzgl bzw evtl f ff geb ggf hrsg inkl insb
    jh max mind mio mrd sog std tab ua usw vgl z zzgl mme mlle av env p sig sra dña ecc dott ing bijv blz
    ул им рис стр см тыс млн проф гг др
"""
_ABBREVIATIONS = frozenset(_SHORT.split())
_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)+|\d{1,2}\.")  # `J.`, `J.-P.`, `U.S.`, `z.B.`; and `3.`, a number in order


class Kind(IntEnum):
    """What begins at a place between two words; the first are the best places to cut."""

    HEADING = 0
    LINE = 1  # a paragraph, a list item or the row of a table
    SENTENCE = 2
    WORD = 3
    NAME = 4  # a word that belongs to the one before, such as the name after `Mr.` and `J.`


_INSIDE = (Kind.WORD, Kind.NAME)


class _Line(NamedTuple):
    """The borders between words of a line: needed only where no sentence ends nearby. Words up to its two ends."""

    before: float
    after: float
    inside: Iterable[tuple[Kind, int, float]]


class _Places:
    """Places where a text may be cut, ascending, each with the number of words before it."""

    def __init__(self) -> None:
        self.places, self.words = array("q"), array("d")

    def add(self, place: int, words: float) -> None:
        self.places.append(place)
        self.words.append(words)

    def nearest(self, target: float, low: float, high: float) -> tuple[int, float] | None:
        """The place nearest to `target` words of those within low..high, and the words before it."""
        after = bisect_left(self.words, target)
        near = [i for i in (after - 1, after) if 0 <= i < len(self.words) and low <= self.words[i] <= high]
        best = min(near, key=lambda i: abs(self.words[i] - target), default=None)
        return None if best is None else (self.places[best], self.words[best])


class Borders:
    """The borders of a text by their kind, and the number of its words.

    Args:
        text: lines of clean text.
        words: of a piece.
        headings: where the lines begin that are headings; no border lies inside or below one.
        rows: whether all lines are rows of a table, which have no borders inside unless they are very long.

    """

    def __init__(self, text: str, words: int, headings: Collection[int], rows: bool) -> None:
        self._places = {kind: _Places() for kind in Kind}
        self.total = 0.0
        self._text, self._words = text, words
        self._later = deque[_Line]()
        kind: Kind | None = None  # of the border before the next line
        start = 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            heading = start in headings and end - start <= LONGEST_TITLE
            if kind is not None:
                self._add(Kind.HEADING if heading else kind, start, self.total)
            last = self._read_line(start, end, heading or rows or text.find(" | ", start, end) >= 0)
            kind = None if heading else Kind.LINE if last is Kind.SENTENCE else last
            start = end + 1

    def _add(self, kind: Kind, place: int, words: float) -> None:
        if kind in _INSIDE:
            self._later.append(_Line(words, words, [(kind, place, words)]))
        else:
            self._places[kind].add(place, words)

    def nearest(self, kind: Kind, target: float, done: float, low: float, high: float) -> tuple[int, float] | None:
        """The border of a kind that is nearest to `target` words, see `_Places.nearest`.

        done: words behind which all borders are that will be asked for; it never falls.
        """
        while kind in _INSIDE and self._later and self._later[0].before <= high:
            line = self._later.popleft()
            for inner, place, words in line.inside if line.after > done else ():
                self._places[inner].add(place, words)
        return self._places[kind].nearest(target, low, high)

    def _read_line(self, start: int, end: int, whole: bool) -> Kind:
        """Add the borders inside a line, not those of a row; the kind of the border after it."""
        line = self._text[start:end]
        words = line.split()
        first = end - sum(map(len, words)) - len(words) + 1  # if there is one space between any two words
        if first < start or not _is_plain(line, first - start, words):
            return self._read_atoms(start, end, whole)
        before, self.total = self.total, self.total + len(words)
        if not whole or len(words) > _LONGEST_ROW * self._words:
            self._later.append(_Line(before, self.total, self._words_of(first, end, before)))
            place, sentences = first, self._places[Kind.SENTENCE]
            for number, word in enumerate(words[:-1], 1):
                start, place = place, place + len(word) + 1
                if word[-1] in _MAY_END and _kind_after(self._text, start, place - 1, place) is Kind.SENTENCE:
                    sentences.add(place, before + number)
        kind = _kind_after(self._text, end - len(words[-1]), end, end)
        return kind if kind is Kind.NAME or line[-1] == ":" else Kind.LINE

    def _words_of(self, place: int, end: int, before: float) -> Iterator[tuple[Kind, int, float]]:
        """The borders inside a plain line, but for the ends of sentences."""
        for number, word in enumerate(self._text[place:end].split()[:-1], 1):
            start, place = place, place + len(word) + 1
            kind = _kind_after(self._text, start, place - 1, place) if word[-1] in _MAY_END else Kind.WORD
            if kind in _INSIDE:
                yield kind, place, before + number

    def _read_atoms(self, start: int, end: int, whole: bool) -> Kind:
        """The same as `_read_line` for any line."""
        inside: list[tuple[Kind, int, float]] = []
        before = self.total
        free, kind = False, Kind.LINE  # free: is there a space or an ideograph before?
        for atom in _ATOM.finditer(self._text, start, end):
            letters, run, space = atom.groups()
            place, run_end = atom.start(), atom.start(3)
            if place > start and (free or letters):
                inside.append((kind, place, self.total))
            if letters:
                self.total += len(letters) / 2
            elif len(run) <= _LONGEST_WORD and run.isascii():
                self.total += 1
            else:
                for inner, weight in _run_borders(self._text, place, run_end, self._words):
                    if inner > place:
                        inside.append((Kind.WORD, inner, self.total))
                    self.total += weight
            free = bool(letters or space)
            kind = _kind_after(self._text, place, run_end, atom.end())
        if not whole or self.total - before > _LONGEST_ROW * self._words:
            self._later.append(_Line(before, self.total, [border for border in inside if border[0] in _INSIDE]))
            for inner_kind, place, words in inside:
                if inner_kind not in _INSIDE:
                    self._places[inner_kind].add(place, words)
        return kind if kind is Kind.NAME or self._text[end - 1] == ":" else Kind.LINE


def _is_plain(line: str, indent: int, words: list[str]) -> bool:
    """Whether a line is words with one space between any two, each of which counts as one."""
    if not words or line[:indent].strip() or (len(line) > _LONGEST_WORD and max(map(len, words)) > _LONGEST_WORD):
        return False
    return line.isascii() or not _UNSPACED.search(line)


def _kind_after(text: str, start: int, end: int, following: int) -> Kind:
    """What begins after the run of characters start..end, at `following`."""
    last = text[end - 1]
    if last in _CLOSING_QUOTES:
        last = text[start:end].rstrip(_CLOSING_QUOTES)[-1:]
    if last not in _SENTENCE_ENDS:
        return Kind.WORD
    if last != ".":
        return Kind.SENTENCE
    word = text[start:end].strip(_CLOSING_QUOTES + OPENING + "([“‘«„")
    if word[:-1].lower().replace(".", "") in _ABBREVIATIONS or _INITIALS.fullmatch(word):
        return Kind.NAME
    return Kind.WORD if text[following : following + 1].islower() else Kind.SENTENCE


def _run_borders(text: str, start: int, end: int, words: int) -> Iterator[tuple[int, float]]:
    """The places where a run without spaces may be cut, each with the weight of what follows it.

    An ordinary word has one, its start; what is too long for that has one after about every five characters, and
    their combining marks as far as any script has them.
    """
    southeast = _SOUTHEAST.search(text, start, end)
    if end - start <= (5 * words if southeast else _LONGEST_WORD):
        yield start, (end - start) / 5 if southeast else 1.0
        return
    while start < end:
        following = min(start + 5, end)
        most = min(following + _MOST_MARKS, end)
        while following < most and unicodedata.category(text[following]).startswith("M"):
            following += 1
        yield start, (following - start) / 5
        start = following
