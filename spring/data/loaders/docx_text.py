"""Read the text of a Word file's paragraph as it shows: tracked insertions, fields' results, equations, raised marks.

Left out are hidden and deleted text, copies for old versions of Word, and the numbers of pages.
"""

import re
from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple

from spring.data.loaders.docx_equations import equation_text
from spring.data.loaders.docx_numbering import format_number
from spring.data.loaders.docx_package import Element, is_true, m, w
from spring.data.loaders.docx_styles import Style, Styles
from spring.data.loaders.superscripts import superscript

_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_PAGE_NUMBER = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_LONGEST_CODE = 100  # characters of a field's instruction that are looked at
_RUN_PROPERTIES = w("rPr")
# Words before the number of a page, and around the number of all pages.
_PAGES = "page pages pag pagina página páginas seite sivu side sida strana strona stránka oldal страница стр"
_PAGE = frozenset(_PAGES.split())
_OF = frozenset(["of", "von", "de", "di", "van", "sur", "af", "av", "z", "из", "/", ""])
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


def without_page_number(text: str) -> str:
    """A line of a header without `Page of` at its end, from which the numbers are left out."""
    words = text.split()
    letters = [re.sub(r"[\W\d_]", "", word).lower() for word in words]
    end = len(words)
    while end and letters[end - 1] in _PAGE | _OF:
        end -= 1
    end = next((place for place in range(end, len(words)) if letters[place] in _PAGE), len(words))
    return " ".join(words[:end])


class _Reader:
    """Collects what a paragraph holds."""

    def __init__(self, style: Style, styles: Styles, marks: Marks) -> None:
        self._style, self._styles, self._marks = style, styles, marks
        self._pieces: list[tuple[str, str]] = []  # `^`, `_`, `link` for a note's mark, `equation` or ""; and the text
        self._fields: list[tuple[str, bool]] = []  # of each open field its instruction, and whether its result began
        self.notes: list[Note] = []
        self.boxes: list[Element] = []
        self.page_number = False

    def read(self, parent: Element, raised: str) -> None:
        """Read what is in an element. raised: `^`, `_` or ""."""
        for child in shown(parent) if parent.tag == ALTERNATIVES else parent:
            _READERS.get(child.tag, _Reader.read)(self, child, raised)

    def read_run(self, run: Element, raised: str) -> None:
        hidden, position = self._styles.run(run.find(_RUN_PROPERTIES), self._style)
        if not hidden:
            self.read(run, position)

    def read_text(self, text: Element, raised: str) -> None:
        self.add(text.text or "", raised)

    def read_break(self, element: Element, raised: str) -> None:
        self.add("\n" if self._style.code else "\n\n", raised)

    def read_equation(self, equation: Element, raised: str) -> None:
        if self._pieces and self._pieces[-1][0] == "equation":
            self.add(" ", "")
        self.add(equation_text(equation), "equation")

    def read_citation(self, reference: Element, raised: str) -> None:
        kind = "footnote" if reference.tag == w("footnoteReference") else "endnote"
        note = Note(kind, reference.get(w("id"), ""), is_true(reference.get(w("customMarkFollows"), "0")))
        self.notes.append(note)
        if not note.own_mark:
            self.add(self._marks.mark(note), "link")

    def read_symbol(self, symbol: Element, raised: str) -> None:
        self.add(_symbol(symbol), raised)

    def read_simple_field(self, field: Element, raised: str) -> None:
        if _PAGE_NUMBER.match(field.get(w("instr"), "")):
            self.page_number = True
        else:
            self.read(field, raised)

    def read_field_mark(self, element: Element, raised: str) -> None:
        mark = element.get(w("fldCharType"))
        if mark == "begin":
            self._fields.append(("", False))
        elif mark == "separate" and self._fields:
            self._fields[-1] = (self._fields[-1][0], True)
        elif mark == "end" and self._fields:
            code, _ = self._fields.pop()
            self.page_number |= _PAGE_NUMBER.match(code) is not None

    def read_instruction(self, element: Element, raised: str) -> None:
        if self._fields and not self._fields[-1][1]:
            self._fields[-1] = ((self._fields[-1][0] + (element.text or ""))[:_LONGEST_CODE], False)

    def read_box(self, box: Element, raised: str) -> None:
        self.boxes.append(box)

    def leave_out(self, element: Element, raised: str) -> None:
        """Read nothing."""

    def text(self) -> str:
        """All that was read, with raised and lowered text written so that it stays what it means."""
        pieces = [(kind, "".join(text for _, text in group)) for kind, group in groupby(self._pieces, lambda p: p[0])]
        if len(pieces) == 1 and pieces[0][0] != "link":  # all of it is raised, or nothing
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

    def add(self, text: str, kind: str) -> None:
        in_number = bool(self._fields) and any(begun and _PAGE_NUMBER.match(code) for code, begun in self._fields)
        if text and not in_number:
            self._pieces.append((kind, text))


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


_READERS: dict[str, Callable[[_Reader, Element, str], None]] = {
    w("r"): _Reader.read_run,
    w("t"): _Reader.read_text,
    w("br"): _Reader.read_break,
    w("cr"): _Reader.read_break,
    w("tab"): lambda reader, _, raised: reader.add("\t", raised),
    w("ptab"): lambda reader, _, raised: reader.add("\t", raised),
    w("noBreakHyphen"): lambda reader, _, raised: reader.add("-", raised),
    w("sym"): _Reader.read_symbol,
    m("oMath"): _Reader.read_equation,
    m("oMathPara"): _Reader.read_equation,
    w("footnoteReference"): _Reader.read_citation,
    w("endnoteReference"): _Reader.read_citation,
    w("fldSimple"): _Reader.read_simple_field,
    w("fldChar"): _Reader.read_field_mark,
    w("instrText"): _Reader.read_instruction,
    w("txbxContent"): _Reader.read_box,
    # Deleted, moved elsewhere, the reading of ruby characters, properties.
    **dict.fromkeys(map(w, ("del", "moveFrom", "delText", "rt", "rPr", "pPr", "sdtPr")), _Reader.leave_out),
}
