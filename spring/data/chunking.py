"""Cut a text into even pieces of about so many words: at headings and lines, else at the ends of sentences.

In one pass it finds the places between words, each with the words before it, then for each cut the best of these.
A Chinese or Japanese character counts as half a word; in Thai, Lao, Khmer and Burmese five characters count as one.
Takes time linear in the text.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from enum import IntEnum
from itertools import accumulate, pairwise

from spring.data.cleaning import CJK, CLOSING, HAN_HIRAGANA, KATAKANA, OPENING, SOUTHEAST_ASIAN
from spring.data.types import LONGEST_TITLE, SECTION_MARK, Document, Heading, Page, Passage

_LONGEST_WORD = 500  # characters; what is longer is data, such as base64
_LONGEST_ROW = 3  # pieces; a longer row of a table may be cut
_MOST_MARKS = 50  # combining marks in a row that are no nonsense
_ATOM = re.compile(  # 1: one ideograph or a run of Katakana, 2: any other run; 3: the space after it
    rf"(?:[{OPENING}]*([{KATAKANA}]{{1,{_LONGEST_WORD}}}|[{HAN_HIRAGANA}])"
    rf"[\ufe00-\ufe0f\u3099\u309a\U000e0100-\U000e01ef]*[{CLOSING}]*"
    rf"|([{OPENING}]*[^\s{CJK}{OPENING}]+|[{OPENING}]+))(\s*)"
)
_SOUTHEAST = re.compile(f"[{SOUTHEAST_ASIAN}]")
_SENTENCE_ENDS = frozenset(".!?…。！？．।॥។؟")
_CLOSING_QUOTES = "\"'”’»)]」』）》"
_ENDS = _SENTENCE_ENDS.union(_CLOSING_QUOTES)
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


class _Kind(IntEnum):
    """What begins at a place between two words; the first are the best places to cut."""

    HEADING = 0
    LINE = 1  # a paragraph, a list item or the row of a table
    SENTENCE = 2
    WORD = 3
    NAME = 4  # a word that belongs to the one before, such as the name after `Mr.` and `J.`


class _Borders:
    """Places where a text may be cut, ascending, each with the number of words before it."""

    def __init__(self) -> None:
        self.places, self.words = array("q"), array("d")

    def add(self, place: int, words: float) -> None:
        self.places.append(place)
        self.words.append(words)

    def extend(self, places: Sequence[int], words: float) -> None:
        """Add the places before words that follow one another, with the number of those before the first."""
        self.places.extend(places)
        self.words.extend([words + number for number in range(len(places))])

    def nearest(self, target: float, low: float, high: float) -> tuple[int, float] | None:
        """The place nearest to `target` words of those within low..high, and the words before it."""
        after = bisect_left(self.words, target)
        near = [i for i in (after - 1, after) if 0 <= i < len(self.words) and low <= self.words[i] <= high]
        best = min(near, key=lambda i: abs(self.words[i] - target), default=None)
        return None if best is None else (self.places[best], self.words[best])


class _Text:
    """The borders of a text by their kind, and the number of its words.

    Args:
        text: lines of clean text.
        words: of a piece.
        headings: where the lines begin that are headings; no border lies inside or below one.
        rows: whether all lines are rows of a table, which have no borders inside unless they are very long.

    """

    def __init__(self, text: str, words: int, headings: Collection[int], rows: bool) -> None:
        self.borders = {kind: _Borders() for kind in _Kind}
        self.total = 0.0
        self._text, self._words = text, words
        kind: _Kind | None = None  # of the border before the next line
        start = 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            heading = start in headings and end - start <= LONGEST_TITLE
            if kind is not None:
                self.borders[_Kind.HEADING if heading else kind].add(start, self.total)
            whole = heading or rows or text.find(" | ", start, end) >= 0
            last = self._read_words(start, end, whole) or self._read_line(start, end, whole)
            kind = None if heading else _Kind.LINE if last is _Kind.SENTENCE else last
            start = end + 1

    def _read_words(self, start: int, end: int, whole: bool) -> _Kind | None:
        """Do what `_read_line` does, and faster, for a line of English words; None for any other."""
        line = self._text[start:end]
        runs = line.split(" ")
        lengths = [*map(len, runs)]
        if not (line.isascii() and line.isprintable()) or not min(lengths) or max(lengths) > _LONGEST_WORD:
            return None
        kind = _Kind.WORD
        places = [*accumulate((length + 1 for length in lengths), initial=start)]  # one more than there are words
        before, self.total = self.total, self.total + len(runs)
        add = not whole or len(runs) > _LONGEST_ROW * self._words
        first = 1  # the word after the last one that ends in a mark
        for number in (number for number, run in enumerate(runs, 1) if run[-1] in _ENDS):
            if add:
                self.borders[_Kind.WORD].extend(places[first:number], before + first)
            following = min(places[number], end)
            kind = _kind_after(self._text, places[number - 1], places[number] - 1, following)
            if add and number < len(runs):
                self.borders[kind].add(following, before + number)
            first = number + 1
        if add:
            self.borders[_Kind.WORD].extend(places[first:-1], before + first)
        if line[-1] == ":":
            return _Kind.WORD
        return _Kind.NAME if kind is _Kind.NAME and first == len(places) else _Kind.LINE

    def _read_line(self, start: int, end: int, whole: bool) -> _Kind:
        """Add the borders inside a line, not those of a row; the kind of the border after it."""
        inside: list[tuple[_Kind, int, float]] = []
        before = self.total
        free, kind = False, _Kind.LINE  # free: is there a space or an ideograph before?
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
                        inside.append((_Kind.WORD, inner, self.total))
                    self.total += weight
            free = bool(letters or space)
            kind = _kind_after(self._text, place, run_end, atom.end())
        if not whole or self.total - before > _LONGEST_ROW * self._words:
            for inner_kind, place, words in inside:
                self.borders[inner_kind].add(place, words)
        return kind if kind is _Kind.NAME or self._text[end - 1] == ":" else _Kind.LINE


def _kind_after(text: str, start: int, end: int, following: int) -> _Kind:
    """What begins after the run of characters start..end, at `following`."""
    last = text[end - 1]
    if last in _CLOSING_QUOTES:
        last = text[start:end].rstrip(_CLOSING_QUOTES)[-1:]
    if last not in _SENTENCE_ENDS:
        return _Kind.WORD
    if last != ".":
        return _Kind.SENTENCE
    word = text[start:end].strip(_CLOSING_QUOTES + OPENING + "([“‘«„")
    if word[:-1].lower().replace(".", "") in _ABBREVIATIONS or _INITIALS.fullmatch(word):
        return _Kind.NAME
    return _Kind.WORD if text[following : following + 1].islower() else _Kind.SENTENCE


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


# Where to look for a place to cut, the best first: its kind, and how far from the even place, in pieces.
_SEARCH = (
    (_Kind.HEADING, 0.35),
    (_Kind.LINE, 0.2),
    (_Kind.SENTENCE, 0.2),
    (_Kind.LINE, 0.4),
    (_Kind.SENTENCE, 0.4),
    (_Kind.WORD, 0.4),
)


def cuts(text: str, words: int, headings: Collection[int] = (), rows: bool = False) -> list[int]:
    """The places, ascending, where to cut a text into even pieces of 0.6 to 1.3 times `words`; none up to 1.2 times.

    A heading is never the end of a piece. The row of a table (a line with ` | ` in it, any line if `rows`) is not
    cut, unless it is longer than three pieces; pieces of rows may be longer or shorter.

    There is no dictionary, so only a run of Thai, Lao, Khmer or Burmese that is heavier than a piece may be cut
    inside a word, though never before a combining mark. A run of more than 500 other characters is no word
    either: it counts by its length, lest a piece be huge, and may be cut.

    Args:
        text: lines of clean text.
        words: of a piece.
        headings: where the lines begin that are headings.
        rows: whether all lines are rows of a table.

    """
    read = _Text(text, words, headings, rows)
    total, places, done = read.total, list[int](), 0.0
    for left in range(max(2, round(total / words)) if total > 1.2 * words else 1, 1, -1):
        target = done + (total - done) / left
        least = max(done + 0.6 * words, total - 1.3 * words * (left - 1))
        most = min(done + 1.3 * words, total - 0.6 * words * (left - 1))
        found = None
        for kind, far in _SEARCH:
            found = found or read.borders[kind].nearest(
                target, max(target - far * words, least), min(target + far * words, most)
            )
        if found is None:  # the nearest of any kind
            near = (borders.nearest(target, done + 0.01, total) for borders in read.borders.values())
            found = min(filter(None, near), key=lambda place: abs(place[1] - target), default=None)
        if found is not None:
            places.append(found[0])
            done = found[1]
    return places


def split_passages(document: Document, words: int = 100) -> list[Passage]:
    """Cut each page into passages of about `words` words; none crosses a page, none cuts a word or a table's row.

    A page of up to 1.2 * `words` words is one passage. What counts as a word, and what may be cut inside one after
    all, is in `cuts`. A passage is an exact slice of its page; headings at the end of a page go to the next.
    Rows of a corpus have titles or ids of their own, and not the document's title.
    """
    if words < 1:
        raise ValueError("A passage has at least one word.")
    rows = any(page.title or page.id for page in document.pages)
    above = _Section(document.title)
    passages: list[Passage] = []
    for number, page in enumerate(_with_headings_moved(document.pages), 1):
        title = page.title or ("" if rows else document.title)
        headings = deque(page.headings)
        places = [0, *cuts(page.text, words, {heading.start for heading in headings}, page.rows), len(page.text)]
        for start, end in pairwise(places):
            if piece := page.text[start:end].strip():
                body = page.text.index(piece[0], start)  # behind the headings that the piece begins with
                while headings and headings[0].start <= body:
                    above.enter(heading := headings.popleft())
                    body = max(body, page.text.find("\n", heading.start) + 1)
                passages.append(Passage(document.name, number, len(passages), piece, str(above), title, page.id))
        for heading in headings:
            above.enter(heading)
    return passages


class _Section:
    """The headings above a place in a document, outermost first; its title is none of them."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._headings: list[Heading] = []

    def enter(self, heading: Heading) -> None:
        """Go on below the next heading."""
        while self._headings and self._headings[-1].level >= heading.level:
            self._headings.pop()
        self._headings.append(heading)

    def __str__(self) -> str:
        """The headings joined, without the outer ones where that is longer than a title."""
        shown = ""
        for heading in reversed(self._headings):
            text = heading.text[:LONGEST_TITLE]
            joined = f"{text}{SECTION_MARK}{shown}" if shown else text
            if len(joined) > LONGEST_TITLE:
                break
            shown = joined if text != self._title else shown
        return shown


def _with_headings_moved(pages: Sequence[Page]) -> Iterator[Page]:
    """The pages, with the headings at the end of one at the start of the next that has text below headings."""
    bodies = [_body_end(page) for page in pages]
    last = max((number for number, (end, _) in enumerate(bodies) if end), default=0)
    carried: list[Heading] = []
    for number, (page, (end, kept)) in enumerate(zip(pages, bodies, strict=True)):
        if number >= last:
            end, kept = len(page.text), len(page.headings)
        if not carried and end == len(page.text):
            yield page
            continue
        moved = carried if end else []
        top = "".join(f"{heading.text}\n" for heading in moved)
        headings, offset = list[Heading](), 0
        for heading in moved:
            headings.append(Heading(offset, heading.level, heading.text))
            offset += len(heading.text) + 1
        headings += [Heading(h.start + offset, h.level, h.text) for h in page.headings[:kept]]
        carried = [*(carried if not end else []), *page.headings[kept:]]
        yield Page(top + page.text[:end].rstrip("\n"), page.title, page.id, tuple(headings), page.rows)


def _body_end(page: Page) -> tuple[int, int]:
    """Where a page's text ends before the headings that have nothing below them, and how many headings are kept."""
    end, kept = len(page.text), len(page.headings)
    while kept and "\n" not in page.text[page.headings[kept - 1].start : end].rstrip("\n"):
        kept -= 1
        end = page.headings[kept].start
    return end, kept
