"""The lines of a PDF's pages as PDFium (https://pdfium.googlesource.com/pdfium) finds them, with their places.

A line's text comes in the order of the file, with PDFium's spaces; lengths are in points, 1/72 inch, y upwards.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from spring.data.cleaning import one_line
from spring.data.loaders.superscripts import superscript

HYPHEN = "\ufffe"  # what PDFium puts for a hyphen at the end of a line, in the place of the line break too
_LINE = re.compile(rf"[^\r\n{HYPHEN}]+({HYPHEN}?)")
_WIDE = 0.5  # heights of a line that its characters are wide on average, if there may be gaps between cells
_GAP = 1.2  # heights of a line that lie between two cells of a table
_SMALLER, _RAISED = 0.85, 0.12  # heights of the letter before it that a raised digit has, and is moved up, at least
_CONTEXT = 40  # characters before a raised mark that tell what it is
_LONGEST_MARK = 12  # characters
_DIGITS = re.compile(r"(?<=\S)\d+")
_SAMPLE = 100  # characters of a page that are looked at for letters without meaning
_LONGEST_VALUE = 100_000  # bytes of one field of a form
_MOST_FIELDS = 2_000  # of one page
_TYPED = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)

_Box: TypeAlias = tuple[float, float, float, float]  # left, right, bottom and top
_Place: TypeAlias = Callable[[int], _Box | None]  # of the character at an index of the page's text


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
    """The lines of one page. garbled: its letters have no meaning, as the font has no map of them."""

    lines: list[Line]
    height: float
    garbled: bool = False


def page_lines(page: pdfium.PdfPage, form: Any = None) -> PageLines:
    """The lines of a page in the order of the file, then the values of the fields of its form, each beside its label.

    Args:
        page: of PDFium.
        form: PDFium's environment for the document's form, None where it has none.

    """
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        lines = list(_joined(_read_lines(text_page.raw, text)))
        garbled = _is_garbled(text_page.raw, text)
    finally:
        text_page.close()
    if form is not None:
        _put_in(lines, _fields(page, form))
    return PageLines(lines, page.get_height(), garbled)


def _read_lines(text_page: Any, text: str) -> Iterator[Line]:
    box = raw.FS_RECTF()
    reference = ctypes.byref(box)

    def place(index: int) -> _Box | None:
        char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index)
        if char < 0 or not raw.FPDFText_GetLooseCharBox(text_page, char, reference):
            return None
        return box.left, box.right, box.bottom, box.top

    def bold(index: int) -> bool:
        char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, index)
        return bool(char >= 0 and (raw.FPDFText_GetFontWeight(text_page, char) >= 600 or _bold_name(text_page, char)))

    for match in _LINE.finditer(text):
        shown = match[0].rstrip(f"{HYPHEN} \t")
        start = match.start() + len(shown) - len(shown.lstrip())
        shown = shown.strip()
        if not shown:
            continue
        first, last = place(start), place(start + len(shown) - 1)
        if first is None or last is None:
            first = last = (0.0, 0.0, 0.0, 0.0)
        left, right = min(first[0], last[0]), max(first[1], last[1])
        bottom, top = min(first[2], last[2]), max(first[3], last[3])
        cells = [(0, shown)]
        if right - left > _WIDE * (top - bottom) * len(shown):
            cells = _cells(shown, start, place, top - bottom)
        heavy = bold(start) and bold(start + len(shown) - 1)
        low = bottom + 0.5 * _RAISED * (top - bottom)
        texts = [_with_marks(cell, text, start + offset, place, low) for offset, cell in cells]
        yield Line(texts, left, right, bottom, top, heavy, bool(match[1]))


def _bold_name(text_page: Any, char: int) -> bool:
    name = ctypes.create_string_buffer(64)
    raw.FPDFText_GetFontInfo(text_page, char, name, 64, None)
    return b"bold" in name.value.lower() or b"black" in name.value.lower()


def _cells(text: str, start: int, place: _Place, height: float) -> list[tuple[int, str]]:
    """A line cut where its words are far from each other: the parts with their offsets."""
    cells, begin = list[tuple[int, str]](), 0
    for space in re.finditer(" +", text):
        before, after = place(start + space.start() - 1), place(start + space.end())
        if before is not None and after is not None and after[0] - before[1] > _GAP * height:
            cells.append((begin, text[begin : space.start()]))
            begin = space.end()
    return [*cells, (begin, text[begin:])]


def _with_marks(cell: str, text: str, start: int, place: _Place, low: float) -> str:
    """A part of a line with its raised digits as `^6` or ` [4]`.

    start: its offset in the text of the page. low: a character whose bottom is below this height is not raised.
    """
    parts, done = list[str](), 0
    for digits in _DIGITS.finditer(cell):
        if digits.start() < done:
            continue
        mark = _raised(cell, digits.end() - 1, done, lambda index: place(start + index), low)
        if mark is None:
            continue
        begin, end = mark
        parts.append(cell[done:begin])
        after = text[start + end : start + end + 3].replace("\r\n", "")
        parts.append(superscript("".join(parts[-2:])[-_CONTEXT:], cell[begin:end], after))
        done = end
    return "".join([*parts, cell[done:]]).rstrip() if parts else cell


def _raised(cell: str, index: int, least: int, place: _Place, low: float) -> tuple[int, int] | None:
    """Where the raised mark begins and ends that the character at an index is part of; None if it is not raised."""
    box = place(index)
    if box is None or box[2] < low or index == least:
        return None
    height, begin, end = box[3] - box[2], index, index + 1

    def is_same(other: int) -> bool:
        found = place(other)
        return (
            found is not None
            and not cell[other].isspace()
            and abs(found[2] - box[2]) < 0.1 * height
            and abs(found[3] - box[3]) < 0.2 * height
        )

    while begin > max(least, index - _LONGEST_MARK) and is_same(begin - 1):
        begin -= 1
    while end < min(len(cell), index + _LONGEST_MARK) and is_same(end):
        end += 1
    before = place(begin - 1) if begin > least and not cell[begin - 1].isspace() else None
    if before is None:
        return None
    usual = before[3] - before[2]
    raised = height < _SMALLER * usual and box[2] - before[2] > _RAISED * usual and before[3] - box[3] < 0.3 * usual
    return (begin, end) if raised else None


def _joined(lines: Iterator[Line]) -> Iterator[Line]:
    """Lines that follow each other at one height, from left to right, are cells of one row."""
    before: Line | None = None
    for line in lines:
        if (
            before is not None
            and not before.hyphen
            and abs(before.bottom - line.bottom) < 0.3 * line.height
            and (gap := line.left - before.right) > -0.1 * line.height
        ):
            if gap > 0.6 * line.height:
                before.cells += line.cells
            else:  # behind a raised mark PDFium begins a line, though it is within a word
                before.cells[-1] += line.cells[0] if gap < 0.12 * line.height else f" {line.cells[0]}"
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


def _fields(page: pdfium.PdfPage, form: Any) -> Iterator[Line]:
    """What is typed into the fields of a form on this page, and chosen from its lists."""
    buffer = ctypes.create_string_buffer(_LONGEST_VALUE)
    as_text = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
    box = raw.FS_RECTF()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), _MOST_FIELDS)):
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
                yield Line([value], box.left, box.right, min(box.bottom, box.top), max(box.bottom, box.top))
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
