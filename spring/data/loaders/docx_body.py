"""Read the body of a Word file into blocks, in order.

Each paragraph, list item and row of a table is one, with its number. Notes stand below the line that cites them, text
boxes below the one that holds them, headers and footers once below their section.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from spring.data.cleaning import one_line, table_row
from spring.data.loaders.content import Block
from spring.data.loaders.docx_numbering import Numbering
from spring.data.loaders.docx_package import RELATIONSHIP_ID, Element, WordPackage, is_on, value, w, whole
from spring.data.loaders.docx_styles import Style, Styles, list_level
from spring.data.loaders.docx_text import ALTERNATIVES, Marks, Note, read_paragraph, shown, without_page_number
from spring.data.types import LONGEST_TITLE

_PROPERTIES, _FRAME, _NUMBERING, _MARK, _SECTION = map(w, ("pPr", "framePr", "numPr", "rPr", "sectPr"))
_NOTHING: Mapping[str, Element] = {}
_LEFT_OUT = frozenset(map(w, ("del", "moveFrom", "pPr", "tblPr", "sectPr", "sdtPr")))
_LONGEST_CELL = 1_500  # characters; a row with a longer one lays out the page
_LONGEST_LABEL = 200  # characters of a cell that is repeated in the rows it spans
_MOST_REPEATED = 4_000_000  # characters of a file
_MOST_COLUMNS = 1_000


class TextLine(NamedTuple):
    """A title or a heading of the first level."""

    number: int  # of its line in the document, from 1
    text: str


class BodyReader:
    """Reads a document once."""

    def __init__(self, package: WordPackage) -> None:
        self.titles: list[TextLine] = []  # paragraphs in the style Title
        self.headings: list[TextLine] = []  # of the first level
        self._package = package
        self._styles = Styles(package.part("styles"))
        self._numbering = Numbering(package.part("numbering"), self._styles)
        self._marks = Marks()
        self._notes = {kind: _notes_in(package.part(f"{kind}s"), kind) for kind in ("footnote", "endnote")}
        self._cited: list[Block] = []  # notes to be written below the open line or row
        self._open = 0  # rows, notes and headers that are being read, one in the other
        self._even = is_on(package.part("settings"), "evenAndOddHeaders")
        self._in_note = False
        self._lines = 0
        self._initial = ""  # a large first letter, which Word keeps in a paragraph by itself
        self._repeated = 0  # characters
        self._written: set[str] = set()  # parts and texts of headers and footers

    def read(self) -> Iterator[Block]:
        """All blocks of the document."""
        body = self._package.document.find(w("body"))
        if body is not None:
            yield from self._blocks(body)
            yield Block(self._initial)
            section = body.find(_SECTION)
            if section is not None:
                yield from self._section_end(section)

    def _blocks(self, parent: Element) -> Iterator[Block]:
        for child in shown(parent) if parent.tag == ALTERNATIVES else parent:
            if child.tag == w("p"):
                yield from self._paragraph(child)
            elif child.tag == w("tbl"):
                yield from self._table(child)
            elif child.tag not in _LEFT_OUT:
                yield from self._blocks(child)

    def _paragraph(self, paragraph: Element) -> Iterator[Block]:
        found = paragraph.find(_PROPERTIES)
        properties = _NOTHING if found is None else {child.tag: child for child in found}
        style_id, style = self._styles.paragraph(properties)
        line = read_paragraph(paragraph, style, self._styles, self._marks)
        text = line.text
        if not text.strip():
            self._number(properties, style_id, style, empty=True)
        elif _FRAME in properties and properties[_FRAME].get(w("dropCap"), "none") != "none" and len(text) < 5:
            self._initial = text.strip()
        else:
            if line.page_number and self._open:
                text = without_page_number(text)
            number = self._number(properties, style_id, style, empty=False)
            text, self._initial = self._initial + text, ""
            yield self._block(f"{number} {text}" if number else text, style)
        if line.notes:
            self._cite(line.notes)
            yield from self._take_cited()
        for box in line.boxes:
            yield from self._blocks(box)
        if _SECTION in properties:
            yield from self._section_end(properties[_SECTION])

    def _block(self, text: str, style: Style) -> Block:
        self._lines += 1
        if self._open or len(text) > LONGEST_TITLE:
            return Block(text, preformatted=style.code)
        if style.title:
            self.titles.append(TextLine(self._lines, text))
        elif style.level == 1:
            self.headings.append(TextLine(self._lines, text))
        return Block(text, 1 if style.title else style.level, style.code)

    def _number(self, properties: Mapping[str, Element], style_id: str, style: Style, empty: bool) -> str:
        """What Word writes before a paragraph; an empty one counts as well, a hidden one does not."""
        numbers = properties.get(_NUMBERING)
        of_list = value(numbers, "numId") or style.numbering
        if not of_list or (empty and self._styles.run(properties.get(_MARK), style)[0]):
            return ""
        level = list_level(numbers)
        return self._numbering.next(of_list, style.numbering_level if level is None else level, style_id)

    # --- tables ---

    def _table(self, table: Element) -> Iterator[Block]:
        spanning: dict[int, str] = {}  # by column, the text of the cell that goes on from the row above
        for row in _inside(table, w("tr")):
            properties = row.find(w("trPr"))
            if is_on(properties, "hidden") or (properties is not None and properties.find(w("del")) is not None):
                continue
            yield from self._row(row, whole(value(properties, "gridBefore"), 0, 0, _MOST_COLUMNS), spanning)

    def _row(self, row: Element, column: int, spanning: dict[int, str]) -> Iterator[Block]:
        elements = list(_inside(row, w("tc")))
        if len(elements) == 1 or any(next(cell.iter(w("tbl")), None) is not None for cell in elements):
            for cell in elements:
                yield from self._blocks(cell)
            return
        self._open += 1
        cells = [list(self._blocks(cell)) for cell in elements]
        self._open -= 1
        texts = [" ".join(block.text for block in cell) for cell in cells]
        if max(map(len, texts), default=0) > _LONGEST_CELL:
            for cell in cells:
                yield from cell
        elif any(text.strip() for text in texts):
            yield Block(table_row(self._spanned(elements, texts, column, spanning)))
        yield from self._take_cited()

    def _spanned(self, cells: list[Element], texts: list[str], column: int, spanning: dict[int, str]) -> Iterator[str]:
        """The texts of a row, those of cells that began in a row above as well."""
        for cell, text in zip(cells, texts, strict=True):
            properties = cell.find(w("tcPr"))
            merge = value(properties, "vMerge")
            if merge is None:
                spanning.pop(column, None)
            elif merge == "restart" or text.strip():
                spanning[column] = text if len(text) <= _LONGEST_LABEL else ""
            elif self._repeated < _MOST_REPEATED:
                text = spanning.get(column, "")
                self._repeated += len(text)
            yield text
            column += whole(value(properties, "gridSpan"), 1, 1, _MOST_COLUMNS)

    # --- notes, headers and footers ---

    def _cite(self, notes: Iterable[Note]) -> None:
        """Put the notes where they are written next, each once; none within a note."""
        if self._in_note:
            return
        self._in_note = True
        for note in notes:
            element = self._notes[note.kind].pop(note.id, None)
            if element is not None:
                self._open += 1
                text = one_line(" ".join(block.text for block in self._blocks(element)))
                self._open -= 1
                self._cited.append(Block(text if note.own_mark else f"[{self._marks.mark(note)}] {text}"))
        self._in_note = False

    def _take_cited(self) -> list[Block]:
        """The notes that are to be written now: none within a row, they stand below it."""
        if self._open:
            return []
        cited, self._cited = self._cited, []
        return cited

    def _section_end(self, section: Element) -> Iterator[Block]:
        """What stands above and below the pages of a section that ends, as far as it is not written yet."""
        for reference in section.iterchildren(w("headerReference"), w("footerReference")):
            pages = reference.get(w("type"))
            if (pages == "first" and not is_on(section, "titlePg")) or (pages == "even" and not self._even):
                continue
            found = self._package.target(reference.get(RELATIONSHIP_ID))
            if found is None or found[0] in self._written:
                continue
            self._written.add(found[0])
            self._open += 1
            blocks = list(self._blocks(found[1]))
            self._open -= 1
            for block in blocks:
                if block.text not in self._written and re.search(r"[^\W_]", block.text):
                    self._written.add(block.text)
                    yield Block(block.text)


def _inside(parent: Element, tag: str) -> Iterator[Element]:
    """The rows of a table or the cells of a row, those in content controls as well."""
    for child in shown(parent) if parent.tag == ALTERNATIVES else parent:
        if child.tag == tag:
            yield child
        elif child.tag not in _LEFT_OUT and child.tag not in (w("tr"), w("tc"), w("p")):
            yield from _inside(child, tag)


def _notes_in(root: Element | None, kind: str) -> dict[str, Element]:
    """By id, without the lines that part notes from the text."""
    found = () if root is None else root.iter(w(kind))
    return {note.get(w("id"), ""): note for note in found if note.get(w("type"), "normal") == "normal"}
