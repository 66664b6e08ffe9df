"""What repeats on the edges of a PDF's pages goes: headers, footers, page numbers; and the numbers of lines."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby, islice, pairwise

from spring.data.loaders.pdf_lines import Line, PageLines

_EDGE = 0.12  # of a page's height, where headers and footers stand
_MOST_RUNNING = 4  # lines of a header or a footer
_LINE_NUMBERS = 8  # lines in a row that begin with numbers in a row
_NUMBER = re.compile(r"\d+|\b[ivxl]+\b")
_PAGE_WORDS = re.compile(r"\b(?:page|pages|seite|p|s|of|von|de|sur|página|pagina|стр|из)\b|[\W_#]", re.IGNORECASE)


def remove_running(pages: Sequence[PageLines]) -> None:
    """Remove headers, footers and page numbers: the outermost lines, alike on several pages but for their numbers."""
    found: dict[tuple[str, int], list[tuple[int, Line]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for line in page.lines:
            if line.bottom > (1 - _EDGE) * page.height or line.top < _EDGE * page.height:
                # Where a page's first and last lines stand varies by some points.
                found[_NUMBER.sub("#", line.text.lower()), round(line.bottom / 6)].append((number, line))
    running: set[int] = set()  # by id
    for (key, _), lines in found.items():
        on = {number for number, _ in lines}
        texts = {line.text for _, line in lines}
        if len(on) < min(len(pages), 3) or len(on) < 2 or (len(pages) == 2 and len(texts) == 1):
            continue
        # Lines that differ in their numbers count the pages, or say more than a number, such as a chapter.
        if len(texts) == 1 or _counts_pages(lines) or (len(texts) < len(on) and _PAGE_WORDS.sub("", key)):
            running.update(id(line) for _, line in lines)
    for page in pages:
        upper = [line for line in page.lines if line.bottom > page.height / 2]
        lower = [line for line in page.lines if line.bottom <= page.height / 2]
        for half in (sorted(upper, key=lambda line: -line.bottom), sorted(lower, key=lambda line: line.bottom)):
            for _, row in islice(groupby(half, key=lambda line: round(line.bottom / 4)), _MOST_RUNNING):
                gone = {id(line) for line in row} & running
                if not gone:
                    break
                page.lines = [line for line in page.lines if id(line) not in gone]


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


def remove_line_numbers(page: PageLines) -> None:
    """Remove numbers that count the lines of a page, beside them or as lines of their own."""
    numbers = [(place, int(match[1])) for place, line in enumerate(page.lines)
               if (match := re.match(r"(\d{1,4})(?:\s|$)", line.text))]  # fmt: skip
    run: list[int] = []
    counted: set[int] = set()
    for (place, number), (following, next_number) in pairwise(numbers):
        if next_number - number in (1, 5) and following - place <= 6:
            run = run or [place]
            run.append(following)
        else:
            run = []
        if len(run) >= _LINE_NUMBERS and page.lines[run[0]].left <= min(line.left for line in page.lines) + 20:
            counted.update(run)
    kept = []
    for place, line in enumerate(page.lines):
        if place in counted:
            line.cells[0] = re.sub(r"^\d{1,4}\s*", "", line.cells[0])
            line.cells = [cell for cell in line.cells if cell]
        if line.cells:
            kept.append(line)
    page.lines = kept
