"""Read the text of a Word file's paragraph as it shows: tracked insertions, fields' results, equations, raised marks.

Left out are hidden and deleted text, copies for old versions of Word, and the numbers of pages.
"""

import re
from itertools import groupby
from typing import NamedTuple

from spring.data.loaders.docx_equations import equation_text
from spring.data.loaders.docx_numbering import format_number
from spring.data.loaders.docx_package import Element, m, w
from spring.data.loaders.docx_styles import Style, Styles
from spring.data.loaders.superscripts import superscript

_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SPACES = {w("tab"): "\t", w("ptab"): "\t", w("cr"): "\n\n", w("noBreakHyphen"): "-"}
# Deleted, moved elsewhere, the reading of ruby characters, properties.
_LEFT_OUT = frozenset(map(w, ("del", "moveFrom", "rt", "rPr", "pPr", "sdtPr", "delText", "instrText")))
_PAGE_NUMBER = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_LONGEST_CODE = 100  # characters of a field's instruction that are looked at
_CONTEXT = 40  # characters before a raised mark that decide what it is
# Characters of Word's symbol fonts, at U+F020 to U+F0FF: the Greek letters and signs that texts use.
_SYMBOL = dict(zip("abcdefghijklmnopqrstuvwxyz", "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True))
_SYMBOL |= dict(zip("CDFGLPQSUWXY", "ΧΔΦΓΛΠΘΣΥΩΞΨ", strict=True))
_SYMBOL |= dict(zip("\xa3\xb3\xb1\xb4\xb0\xb9\xbb\xa5\xae\xd6\xb7\xb6\xe5\xf2", "≤≥±×°≠≈∞→√•∂∑∫", strict=True))
_WINGDINGS = dict(zip("\xfc\xfb\xfe\xfd\xa8\x6f\xe0\xdf\xf0\xd8\xa7\xb7\x4a", "✓✗☑☒☐☐→←→➢▪•☺", strict=True))
_FONTS = {"symbol": _SYMBOL, "wingdings": _WINGDINGS}


class Note(NamedTuple):
    """Where a note is cited."""

    kind: str  # `footnote` or `endnote`
    id: str
    own_mark: bool  # its mark is in the text, and is not counted


class Line(NamedTuple):
    """What a paragraph holds. Line breaks in `text` are blank lines, as `Block` wants them."""

    text: str
    notes: list[Note]
    boxes: list[Element]  # text boxes that are anchored in it
    page_number: bool  # it has the number of the page, which is left out


class Marks:
    """The numbers of notes in a document, in the order of their citation."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], str] = {}
        self._counts = {"footnote": 0, "endnote": 0}

    def mark(self, note: Note) -> str:
        """1, 2, 3 for footnotes; i, ii, iii for endnotes."""
        key = note.kind, note.id
        if key not in self._marks:
            self._counts[note.kind] += 1
            form = "lowerRoman" if note.kind == "endnote" else "decimal"
            self._marks[key] = format_number(self._counts[note.kind], form)
        return self._marks[key]


def read_paragraph(paragraph: Element, style: Style, styles: Styles, marks: Marks) -> Line:
    """The text of a paragraph, and what belongs to it elsewhere."""
    reader = _Reader(style, styles, marks)
    reader.read(paragraph, "")
    return Line(reader.text(), reader.notes, reader.boxes, reader.page_number)


def shown(alternatives: Element) -> list[Element]:
    """Of an `AlternateContent` what a new version of Word shows."""
    choice = alternatives.find(f"{_ALTERNATIVES}Choice")
    choice = alternatives.find(f"{_ALTERNATIVES}Fallback") if choice is None else choice
    return [] if choice is None else list(choice)


ALTERNATIVES = f"{_ALTERNATIVES}AlternateContent"


class _Reader:
    def __init__(self, style: Style, styles: Styles, marks: Marks) -> None:
        self._style, self._styles, self._marks = style, styles, marks
        self._pieces: list[tuple[str, str]] = []  # `^`, `_`, `link` for a note's mark, or ""; and the text
        self._fields: list[tuple[str, bool]] = []  # of each open field its instruction, and whether its result began
        self.notes: list[Note] = []
        self.boxes: list[Element] = []
        self.page_number = False

    def read(self, parent: Element, raised: str) -> None:
        """Read what is in an element. raised: `^`, `_` or ""."""
        for child in shown(parent) if parent.tag == ALTERNATIVES else parent:
            tag = child.tag
            if tag == w("t"):
                self._add(child.text or "", raised)
            elif tag == w("r"):
                hidden, position = self._styles.run(child.find(w("rPr")), self._style)
                if not hidden:
                    self.read(child, position)
            elif tag in _SPACES:
                self._add(_SPACES[tag], raised)
            elif tag == w("br"):
                self._add("\n" if self._style.code else "\n\n", raised)
            elif tag == w("instrText"):
                self._instruct(child.text or "")
            elif tag in _LEFT_OUT:
                continue
            elif tag in (m("oMath"), m("oMathPara")):
                self._add(equation_text(child), "")
            elif tag in (w("footnoteReference"), w("endnoteReference")):
                self._cite(child)
            elif tag == w("sym"):
                self._add(_symbol(child), raised)
            elif tag == w("fldChar"):
                self._mark_field(child.get(w("fldCharType")))
            elif tag == w("fldSimple") and _PAGE_NUMBER.match(child.get(w("instr"), "")):
                self.page_number = True
            elif tag == w("txbxContent"):
                self.boxes.append(child)
            else:
                self.read(child, raised)

    def text(self) -> str:
        """All that was read, with raised and lowered text written so that it stays what it means."""
        pieces = [(kind, "".join(text for _, text in group)) for kind, group in groupby(self._pieces, lambda p: p[0])]
        if len(pieces) == 1 and pieces[0][0] != "link":
            return pieces[0][1]
        written = ""
        parts: list[str] = []
        for place, (kind, text) in enumerate(pieces):
            after = pieces[place + 1][1] if place + 1 < len(pieces) else ""
            part = text
            if kind in ("^", "link"):
                ahead, mark, behind = re.fullmatch(r"(\s*)(.*?)(\s*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
                part = ahead + superscript(written + ahead, mark, behind + after, link=kind == "link") + behind
            elif kind == "_" and text.strip().isalpha() and written[-1:].isalnum():
                part = f"_{text.strip()}"
            parts.append(part)
            written = (written + part)[-_CONTEXT:]
        return "".join(parts)

    def _add(self, text: str, kind: str) -> None:
        in_number = any(begun and _PAGE_NUMBER.match(code) for code, begun in self._fields)
        if text and not in_number:
            self._pieces.append((kind, text))
        self.page_number |= in_number

    def _cite(self, reference: Element) -> None:
        kind = "footnote" if reference.tag == w("footnoteReference") else "endnote"
        own_mark = (reference.get(w("customMarkFollows")) or "0").lower() in ("1", "true", "on")
        note = Note(kind, reference.get(w("id"), ""), own_mark)
        self.notes.append(note)
        if not own_mark:
            self._add(self._marks.mark(note), "link")

    def _instruct(self, code: str) -> None:
        if self._fields and not self._fields[-1][1]:
            self._fields[-1] = ((self._fields[-1][0] + code)[:_LONGEST_CODE], False)

    def _mark_field(self, mark: str | None) -> None:
        if mark == "begin":
            self._fields.append(("", False))
        elif mark == "separate" and self._fields:
            self._fields[-1] = (self._fields[-1][0], True)
        elif mark == "end" and self._fields:
            self._fields.pop()


def _symbol(element: Element) -> str:
    """The character that a symbol of a font stands for; "" if that is not known."""
    try:
        code = int(element.get(w("char"), "")[:8], 16)
    except ValueError:
        return ""
    font = _FONTS.get(element.get(w("font"), "").lower())
    if 0xF000 <= code <= 0xF0FF:
        code -= 0xF000
    if font is not None:
        return font.get(chr(code), "") if code < 256 else ""
    return chr(code) if 32 <= code < 0xD800 else ""
