"""What repeats on the edges of a PDF's pages goes: headers, footers, page numbers; and the numbers of lines."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby, islice, pairwise, zip_longest

from spring.data.loaders.pdf_lines import LARGER, Line, PageLines, usual_height

_EDGE = 0.12  # of a page's height, where headers and footers stand
_MOST_RUNNING = 4  # lines of a header or a footer
_SMALLER = 0.95  # than the letters of the text are those of a header
_LINE_NUMBERS = {1: 8, 5: 4}  # numbers in a row that begin lines, by how many lines each counts
_MOST_NUMBERED = 0.8  # of a page's lines of prose
_GOING_ON = 0.3  # of the numbered lines go on with the sentence of the line before
_LONG = 12  # heights of a line of prose that it is long
_NUMBER = re.compile(r"\d+|\b[ivxl]+\b")
_LINE_NUMBER = re.compile(r"^(\d{1,4})(?:\s+|$)")
_END = re.compile("[.!?…:;。！？：；][\"'”’»)\\]]*$")
_PAGE = "page|pages|pg|p|seite|s|blatt|sida|side|sivu|página|pagina|pág|pag|str|strona|strana|стр|страница|sayfa|第"
_PAGE_WORDS = re.compile(rf"\b(?:{_PAGE}|of|von|de|di|sur|av|af|z|из|oldal|页|頁|ページ|쪽|共)\b|[^\w§]|[_#]")
_PAGE_NUMBER = re.compile(rf"\b(?:{_PAGE})\b[^\w§]*#|#\s*(?:oldal|页|頁|ページ|쪽)")


def remove_running(pages: Sequence[PageLines]) -> None:
    """Remove headers, footers and page numbers: the outermost lines, alike on several pages but for their numbers."""
    found: dict[tuple[str, int], list[tuple[int, Line]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for line in page.lines:
            if line.bottom > (1 - _EDGE) * page.height or line.top < _EDGE * page.height:
                # Where a page's first and last lines stand varies by some points.
                found[_NUMBER.sub("#", line.text.lower()), round(line.bottom / 6)].append((number, line))
    usual = usual_height(line for page in pages for line in page.lines)
    running, apart = set[int](), set[int]()  # by id; what is in `apart` goes where it is apart from the text
    for (key, _), lines in found.items():
        on = {number for number, _ in lines}
        texts = {line.text for _, line in lines}
        if len(on) < min(len(pages), 3) or len(on) < 2 or (len(pages) == 2 and len(texts) == 1):
            continue
        # Lines that differ in their numbers count the pages, or say more than a number, such as a chapter.
        counts = _counts_pages(lines)
        small = all(line.height < LARGER * usual for _, line in lines)
        chapter = small and len(texts) < len(on) and _PAGE_WORDS.sub("", key)
        if len(texts) == 1 or chapter or (counts and _says_page(key)):
            running.update(id(line) for _, line in lines)
        elif counts and small:  # at the top it may be a heading, `Week 3`, unless it has smaller letters than the text
            apart.update(id(line) for number, line in lines
                         if line.top < pages[number].height / 2 or line.height < _SMALLER * usual)  # fmt: skip
    for page in pages:
        upper = [line for line in page.lines if line.bottom > page.height / 2]
        lower = [line for line in page.lines if line.bottom <= page.height / 2]
        for half in (sorted(upper, key=lambda line: -line.bottom), sorted(lower, key=lambda line: line.bottom)):
            by_row = groupby(half, key=lambda line: round(line.bottom / 4))
            rows = [list(row) for _, row in islice(by_row, _MOST_RUNNING + 1)]
            for row, inner in zip_longest(rows[:_MOST_RUNNING], rows[1:], fillvalue=list[Line]()):
                gone = {id(line) for line in row} & (running | apart if _is_apart(row, inner) else running)
                if not gone:
                    break
                page.lines = [line for line in page.lines if id(line) not in gone]


def _is_apart(row: Sequence[Line], inner: Sequence[Line]) -> bool:
    """Whether more than the height of a line is between a row and the next one."""
    low, high = min(line.bottom for line in row), max(line.top for line in row)
    return all(max(line.bottom - high, low - line.top) > line.height for line in inner)


def _says_page(key: str) -> bool:
    """Whether a line in small letters, with `#` for its numbers, has a page word beside a number or one by itself."""
    bare = any("#" in cell and not _PAGE_WORDS.sub("", cell) for cell in key.split(" | "))
    return bare or _PAGE_NUMBER.search(key) is not None


def _counts_pages(lines: Iterable[tuple[int, Line]]) -> bool:
    """Whether one of the numbers in the lines goes up with the pages."""
    offsets: Counter[int] = Counter()
    count = 0
    for number, line in lines:
        count += 1
        offsets.update({int(digits) - number for digits in re.findall(r"\d{1,6}", line.text)})
        if not re.search(r"\d", line.text):  # Roman
            offsets.update([-1_000_000])
    return bool(offsets) and offsets.most_common(1)[0][1] >= 0.6 * count


def remove_line_numbers(pages: Iterable[PageLines]) -> None:
    """Remove numbers that count the lines of running prose, beside them or as lines of their own."""
    last = 0  # of the page before
    for page in pages:
        for every in _LINE_NUMBERS:
            counted = _counted(page.lines, every, last)
            lines = [_without_number(line) if place in counted else line for place, line in enumerate(page.lines)]
            lines = [line for line in lines if line.cells]
            middles = [(page.lines[place].bottom + page.lines[place].top) / 2 for place in counted]
            if counted and _is_numbered_prose(lines, middles, every):
                page.lines, last = lines, max(counted.values())
                break


def _counted(lines: Sequence[Line], every: int, last: int) -> dict[int, int]:
    """The numbers at the left edge that count lines, by the places of their lines.

    Args:
        lines: of a page.
        every: how many lines are counted by each number.
        last: the number of the page before. A number of four digits may be a year unless it counts on from there.

    """
    numbers = [(place, int(match[1])) for place, line in enumerate(lines)
               if (match := _LINE_NUMBER.match(line.text))]  # fmt: skip
    edge = min((line.left for line in lines), default=0.0) + 20
    counted: dict[int, int] = {}
    run: list[tuple[int, int]] = []
    for before, this in pairwise(numbers):
        if this[1] - before[1] == every and this[0] - before[0] <= 6:
            run = run or [before]
            run.append(this)
        else:
            run = []
        small = run and (run[-1][1] < 1000 or run[0][1] == last + every)
        if len(run) >= _LINE_NUMBERS[every] and lines[run[0][0]].left <= edge and small:
            counted.update(run)
    return counted


def _without_number(line: Line) -> Line:
    cells = [_LINE_NUMBER.sub("", line.cells[0]), *line.cells[1:]]
    return replace(line, cells=[cell for cell in cells if cell])


def _is_numbered_prose(lines: Sequence[Line], middles: Sequence[float], every: int) -> bool:
    """Whether most lines of prose on a page are numbered, and sentences go on from one to the next.

    Cells, items of a list and lines that each begin a sentence do not; their numbers say something.

    Args:
        lines: of a page, without the numbers.
        middles: the heights of the numbers.
        every: how many lines are counted by each number.

    """
    long = [len(line.cells) == 1 and line.right - line.left > _LONG * line.height for line in lines]
    middles = sorted(middles)
    numbered = [bisect_left(middles, line.bottom) < bisect_right(middles, line.top) for line in lines]
    going = [
        mark and whole and not _END.search(before.text) and line.text[0].isalpha() and not line.text[0].isupper()
        for (before, line), whole, mark in zip(pairwise(lines), long, numbered[1:], strict=False)
    ]
    share = every * sum(map(all, zip(long, numbered, strict=True))) / max(sum(long), 1)
    return share >= _MOST_NUMBERED and sum(going) >= _GOING_ON * sum(numbered)
