"""Where to cut a long text into even pieces of about so many words, at the end of a sentence if one is near.

Knows only text: in one pass it finds the places between words, each with the words before it, then for each
cut the best of these. A Chinese or Japanese character counts as half a word, in Thai, Lao, Khmer and Burmese
five characters as one. Takes time linear in the text.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from spring.data.cleaning import CJK, CLOSING, HAN_HIRAGANA, KATAKANA, OPENING, SOUTHEAST_ASIAN
from spring.data.types import Document, Passage

_LONGEST_WORD = 500  # characters; what is longer is data, such as base64
_MOST_MARKS = 50  # combining marks in a row that are no nonsense
_ATOM = re.compile(  # 1: one ideograph or a run of Katakana, 2: any other run; 3: the space after it
    rf"(?:[{OPENING}]*([{KATAKANA}]{{1,{_LONGEST_WORD}}}|[{HAN_HIRAGANA}])"
    rf"[\ufe00-\ufe0f\u3099\u309a\U000e0100-\U000e01ef]*[{CLOSING}]*"
    rf"|([{OPENING}]*[^\s{CJK}{OPENING}]+|[{OPENING}]+))(\s*)"
)
_SOUTHEAST = re.compile(f"[{SOUTHEAST_ASIAN}]")
_SENTENCE_ENDS = frozenset(".!?…。！？．।॥။។؟")
_CLOSING_QUOTES = "\"'”’»)]」』）》"


class _Borders:
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


def _borders(text: str, words: int) -> tuple[_Borders, _Borders, float]:
    """The borders between words, those of them at sentence ends, and the number of words in all."""
    borders, sentences, total = _Borders(), _Borders(), 0.0
    free = ended = False  # is there a space or an ideograph before? does a sentence or a line end there?
    for atom in _ATOM.finditer(text):
        letters, run, space = atom.groups()
        start, end = atom.start(), atom.start(3)
        if start and (free or letters):
            borders.add(start, total)
            if ended:
                sentences.add(start, total)
        if letters:
            total += len(letters) / 2
        elif len(run) <= _LONGEST_WORD and run.isascii():
            total += 1
        else:
            for place, weight in _run_borders(text, start, end, words):
                if place > start:
                    borders.add(place, total)
                total += weight
        free = bool(letters or space)
        last = text[end - 1]
        if last in _CLOSING_QUOTES:
            last = text[start:end].rstrip(_CLOSING_QUOTES)[-1:]
        ended = last in _SENTENCE_ENDS or "\n" in space
    return borders, sentences, total


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


def cuts(text: str, words: int) -> list[int]:
    """The places, ascending, where to cut a text into even pieces of 0.6 to 1.3 times `words`; none up to 1.2 times.

    There is no dictionary, so only a run of Thai, Lao, Khmer or Burmese that is heavier than a piece may be cut
    inside a word, though never before a combining mark. A run of more than 500 other characters is no word
    either: it counts by its length, lest a piece be huge, and may be cut.
    """
    borders, sentences, total = _borders(text, words)
    places: list[int] = []
    done = 0.0
    for left in range(max(2, round(total / words)) if total > 1.2 * words else 1, 1, -1):
        target = done + (total - done) / left
        low = max(target - 0.2 * words, done + 0.6 * words, total - 1.3 * words * (left - 1))
        high = min(target + 0.2 * words, done + 1.3 * words, total - 0.6 * words * (left - 1))
        cut = sentences.nearest(target, low, high) or borders.nearest(target, done + 0.01, total)
        if cut is not None:
            places.append(cut[0])
            done = cut[1]
    return places


def split_passages(document: Document, words: int = 100) -> list[Passage]:
    """Cut each page into passages of about `words` words; none crosses a page, none cuts a word.

    A page of up to 1.2 * `words` words is one passage. What counts as a word, and what may be cut inside one after
    all, is in `spring.data.chunking`. Below its title a passage is an exact slice of its page.
    """
    if words < 1:
        raise ValueError("A passage has at least one word.")
    passages: list[Passage] = []
    for number, page in enumerate(document.pages, 1):
        places = [0, *cuts(page.text, words), len(page.text)]
        for piece in filter(None, (page.text[start:end].strip() for start, end in pairwise(places))):
            titled = not page.title or piece.partition("\n")[0] == page.title
            text = piece if titled else f"{page.title}\n{piece}"
            passages.append(Passage(document.name, number, len(passages), text))
    return passages
