"""Cut a text into even pieces of about so many words: at headings and lines, else at the ends of sentences.

`spring.data.borders` finds the places between words, each with the words before it; here the best are chosen.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from spring.data.borders import Borders, Kind
from spring.data.types import LONGEST_TITLE, SECTION_MARK, Document, Heading, Page, Passage

# Where to look for a place to cut, the best first: its kind, and how far from the even place, in pieces.
_SEARCH = (
    (Kind.HEADING, 0.35),
    (Kind.LINE, 0.2),
    (Kind.SENTENCE, 0.2),
    (Kind.LINE, 0.4),
    (Kind.SENTENCE, 0.4),
    (Kind.WORD, 0.4),
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
    read = Borders(text, words, headings, rows)
    total, places, done = read.total, list[int](), 0.0
    for left in range(max(2, round(total / words)) if total > 1.2 * words else 1, 1, -1):
        target = done + (total - done) / left
        least = max(done + 0.6 * words, total - 1.3 * words * (left - 1))
        most = min(done + 1.3 * words, total - 0.6 * words * (left - 1))
        found = None
        for kind, far in _SEARCH:
            found = found or read.nearest(
                kind, target, done, max(target - far * words, least), min(target + far * words, most)
            )
        if found is None:  # the nearest of any kind
            near = (read.nearest(kind, target, done, done + 0.01, total) for kind in Kind)
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
