"""The lines of a PDF's pages as PDFium (https://pdfium.googlesource.com/pdfium) finds them, with their places.

A line's text comes in the order of the file, with PDFium's spaces; lengths are in points, 1/72 inch, y upwards.
"""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from spring.data.cleaning import one_line
from spring.data.loaders.pdf_marks import Box, Marks, Place

HYPHEN = "\ufffe"  # what PDFium puts for a hyphen at the end of a line, in the place of the line break too
_LINE = re.compile(rf"[^\r\n{HYPHEN}]+({HYPHEN}?)")
_WIDE = 0.5  # heights of a line that its characters are wide on average, if there may be gaps between cells
_GAP = 1.2  # heights of a line that lie between two cells of a table
LARGER = 1.12  # than the letters of the text are those of a heading
_SAMPLE = 100  # characters of a page that are looked at for letters without meaning
_LONGEST_VALUE = 100_000  # bytes of one field of a form
MOST_FIELDS = 2_000  # of one page
_TYPED = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)


@dataclass(slots=True)
class Line:
    """One line of text. cells: more than one in the row of a table. bold: both its ends are."""

    cells: list[str]
    left: float
    right: float
    bottom: float
    top: float
    bold: bool = False
    hyphen: bool = False  # its last word goes on in the next line
    glued: bool = False  # it goes on within the last word of the line before
    turn: int = 0  # quarters of a circle, clockwise, that it is turned; its place is on the page turned back

    @property
    def text(self) -> str:
        """The line as one string, with ` | ` between cells."""
        return " | ".join(self.cells)

    @property
    def height(self) -> float:
        """About 1.2 times the size of the font."""
        return self.top - self.bottom


@dataclass(slots=True)
class PageLines:
    """The lines of one page. garbled: its letters have no meaning, as the font has no map of them.

    crowded: its form has more fields than are read.
    """

    lines: list[Line]
    height: float
    garbled: bool = False
    crowded: bool = False


def usual_height(lines: Iterable[Line]) -> float:
    """The height of the lines that most letters are in."""
    letters: Counter[float] = Counter()
    for line in lines:
        letters[round(line.height * 2) / 2] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


def page_lines(page: pdfium.PdfPage, form: Any = None) -> PageLines:
    """The lines of a page in the order of the file, then the values of the fields of its form, each beside its label.

    Args:
        page: of PDFium.
        form: PDFium's environment for the document's form, None where it has none.

    """
    left, bottom, right, top = page.get_bbox()
    edges = left, right, bottom, top
    lines, garbled = _read_page(page, edges)
    letters: Counter[int] = Counter()
    for line in lines:
        letters[line.turn] += len(line.text)
    turn = letters.most_common(1)[0][0] if letters else 0
    if lines and page.get_rotation() != (upright := -90 * turn % 360):
        page.set_rotation(upright)  # PDFium orders lines and cells as the page shows them
        lines, garbled = _read_page(page, edges)
    read = PageLines(lines, right - left if turn % 2 else top - bottom, garbled)
    if form is not None:
        _put_in(lines, _fields(page, form, lambda box: _upright(box, turn, edges)))
        read.crowded = raw.FPDFPage_GetAnnotCount(page.raw) > MOST_FIELDS
    return read


def _read_page(page: pdfium.PdfPage, edges: Box) -> tuple[list[Line], bool]:
    """The lines of a page, and whether its letters have no meaning."""
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        return list(_joined(_read_lines(text_page.raw, text, edges))), _is_garbled(text_page.raw, text)
    finally:
        text_page.close()


def _upright(box: Box, turn: int, edges: Box) -> Box:
    """Where a box stands on its page, turned back by as many quarters of a circle as the box is turned clockwise."""
    left, right, bottom, top = box
    page_left, page_right, page_bottom, page_top = edges
    if turn == 1:
        return page_top - top, page_top - bottom, left - page_left, right - page_left
    if turn == 2:
        return page_right - right, page_right - left, page_top - top, page_top - bottom
    if turn == 3:
        return bottom - page_bottom, top - page_bottom, page_right - right, page_right - left
    return left - page_left, right - page_left, bottom - page_bottom, top - page_bottom


def _read_lines(text_page: Any, text: str, edges: Box) -> Iterator[Line]:
    box = raw.FS_RECTF()
    reference = ctypes.byref(box)
    turn = 0  # of the line that is being read
    moved = edges[0] != 0 or edges[2] != 0

    def place(index: int) -> Box | None:
        char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index)
        if char < 0 or not raw.FPDFText_GetLooseCharBox(text_page, char, reference):
            return None
        read = box.left, box.right, box.bottom, box.top
        return _upright(read, turn, edges) if turn or moved else read

    def bold(index: int) -> bool:
        char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index)
        return bool(char >= 0 and (raw.FPDFText_GetFontWeight(text_page, char) >= 600 or _bold_name(text_page, char)))

    marks = Marks(text, place)
    for match in _LINE.finditer(text):
        shown = match[0].rstrip(f"{HYPHEN} \t")
        start = match.start() + len(shown) - len(shown.lstrip())
        shown = shown.strip()
        if not shown:
            continue
        turn = _turn(text_page, start)
        first, last = place(start), place(start + len(shown) - 1)
        if turn == 2 and first is not None and last is not None and first[0] > last[0]:
            turn = 0  # some programs turn all letters, and back by a size below 0
            first, last = place(start), place(start + len(shown) - 1)
        if first is None or last is None:
            first = last = (0.0, 0.0, 0.0, 0.0)
        left, right = min(first[0], last[0]), max(first[1], last[1])
        bottom, top = min(first[2], last[2]), max(first[3], last[3])
        cells = [(0, shown)]
        if right - left > _WIDE * (top - bottom) * len(shown):
            cells = _cells(shown, start, place, top - bottom)
        heavy = bold(start) and bold(start + len(shown) - 1)
        read, glued = marks.read([(start + offset, cell) for offset, cell in cells], bottom, top)
        yield Line(read, left, right, bottom, top, heavy, bool(match[1]), glued, turn)


def _turn(text_page: Any, index: int) -> int:
    """By how many quarters of a circle a character is turned clockwise."""
    char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index)
    angle = raw.FPDFText_GetCharAngle(text_page, char) if char >= 0 else 0.0
    return round(angle / (math.pi / 2)) % 4


def _bold_name(text_page: Any, char: int) -> bool:
    name = ctypes.create_string_buffer(64)
    raw.FPDFText_GetFontInfo(text_page, char, name, 64, None)
    return b"bold" in name.value.lower() or b"black" in name.value.lower()


def _cells(text: str, start: int, place: Place, height: float) -> list[tuple[int, str]]:
    """A line cut where its words are far from each other: the parts with their offsets."""
    cells, begin = list[tuple[int, str]](), 0
    for space in re.finditer(" +", text):
        before, after = place(start + space.start() - 1), place(start + space.end())
        if before is not None and after is not None and after[0] - before[1] > _GAP * height:
            cells.append((begin, text[begin : space.start()]))
            begin = space.end()
    return [*cells, (begin, text[begin:])]


def _joined(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines that follow each other at one height, from left to right, are cells of one row."""
    before: Line | None = None
    for line in lines:
        if (
            before is not None
            and not before.hyphen
            and before.turn == line.turn
            and (line.glued or abs(before.bottom - line.bottom) < 0.3 * line.height)
            and (line.glued or line.left - before.right > 0)
        ):
            if line.left - before.right > 0.6 * line.height:
                before.cells += line.cells
            else:
                before.cells[-1] += line.cells[0] if line.glued else f" {line.cells[0]}"
                before.cells += line.cells[1:]
            before.right, before.hyphen = line.right, line.hyphen
            before.bottom, before.top = min(before.bottom, line.bottom), max(before.top, line.top)
            continue
        if before is not None:
            yield before
        before = line
    if before is not None:
        yield before


def _is_garbled(text_page: Any, text: str) -> bool:
    """Whether most characters of a page are none, as their font says only how they look.

    Fonts of plotting programs say nothing either, but use the codes of ASCII.
    """
    count = raw.FPDFText_CountChars(text_page)
    step = max(1, count // _SAMPLE)
    unknown = [
        chr(code)
        for char in range(0, count, step)
        if raw.FPDFText_HasUnicodeMapError(text_page, char) == 1
        and 32 < (code := raw.FPDFText_GetUnicode(text_page, char)) < 0x110000
    ]
    sampled = len(range(0, count, step))
    strange = sum(not (char.isascii() and (char.isalnum() or char in ".,()-")) for char in unknown)
    return len(unknown) > 0.5 * sampled and strange > 0.5 * len(unknown)


# --- forms ---


def _fields(page: pdfium.PdfPage, form: Any, upright: Callable[[Box], Box]) -> Iterator[Line]:
    """What is typed into the fields of a form on this page, and chosen from its lists."""
    buffer = ctypes.create_string_buffer(_LONGEST_VALUE)
    as_text = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
    box = raw.FS_RECTF()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), MOST_FIELDS)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            if raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_WIDGET:
                if raw.FPDFAnnot_GetFormFieldType(form, annotation) not in _TYPED:
                    continue
                if raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & raw.FPDF_FORMFLAG_TEXT_PASSWORD:
                    continue
                size = raw.FPDFAnnot_GetFormFieldValue(form, annotation, as_text, _LONGEST_VALUE)
            elif raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_FREETEXT:
                size = raw.FPDFAnnot_GetStringValue(annotation, b"Contents", as_text, _LONGEST_VALUE)
            else:
                continue
            value = one_line(buffer.raw[: min(size, _LONGEST_VALUE)].decode("utf-16-le", "replace").rstrip("\0"))
            if value and raw.FPDFAnnot_GetRect(annotation, ctypes.byref(box)):
                place = box.left, box.right, min(box.bottom, box.top), max(box.bottom, box.top)
                yield Line([value], *upright(place))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _put_in(lines: list[Line], fields: Iterator[Line]) -> None:
    """Put each value behind the line that it stands beside, else below the one above it.

    A page that shows the value already, as PDFium does of some forms, shows it once.
    """
    for field in fields:
        if any(field.cells[0] in line.text and _beside(line, field) for line in lines):
            continue
        beside = [line for line in lines if _beside(line, field) and line.left <= field.left]
        if beside:
            line = max(beside, key=lambda line: line.left)
            line.cells += field.cells
            line.right = max(line.right, field.right)
            continue
        above = [place for place, line in enumerate(lines) if line.bottom >= field.bottom]
        lines.insert(above[-1] + 1 if above else 0, field)


def _beside(line: Line, field: Line) -> bool:
    middle = (line.bottom + line.top) / 2
    return field.bottom - 2 <= middle <= field.top + 2
