"""Load Word files: one page.

A blank line parts paragraphs and list items; the cells of a table's row stand on one line. What does not show, such
as deleted words, is left out.
"""

import io
from typing import Any

import docx
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph

from spring.data.cleaning import table_row
from spring.data.loaders.archive import check_archive
from spring.data.loaders.content import Content, clean_page

_W_PARAGRAPH, _W_ROW, _W_CELL, _W_TEXT = qn("w:p"), qn("w:tr"), qn("w:tc"), qn("w:t")
_W_SPACES = {qn("w:tab"): "\t", qn("w:br"): "\n\n", qn("w:cr"): "\n\n", qn("w:noBreakHyphen"): "-"}
# Text that is there a second time: for old versions of Word, and where it was before it was moved.
_W_COPIES = ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", qn("w:moveFrom"))


def docx_text(data: bytes) -> tuple[str, str]:
    """The title and the text of a Word file. The title is its first heading, else that in its properties."""
    document = docx.Document(io.BytesIO(data))
    body, blocks, title = document.element.body, [], ""
    # python-docx's own walk and .text leave out content controls, text boxes and tracked insertions, and its
    # row.cells grows with the spans that a file claims. In the XML below, all text is alike.
    for copy in list(body.iter(*_W_COPIES)):
        copy.getparent().remove(copy)
    for element in body.iter(_W_PARAGRAPH, _W_ROW):
        if next(element.iterancestors(_W_PARAGRAPH, _W_ROW), None) is not None:
            continue  # read with the row, or the paragraph of the text box, that holds it
        if element.tag == _W_ROW:
            blocks.append(_row_text(element))
            continue
        style = None if title else Paragraph(element, document).style
        if style and style.name in ("Title", "Heading 1"):
            title = _paragraph_text(element).strip()
        else:
            blocks.append(_paragraph_text(element))
    core = document.core_properties.title
    # "Word Document" is what python-docx makes up for a file without properties.
    return title or (core if core != "Word Document" else ""), "\n\n".join(blocks)


def _row_text(row: Any) -> str:
    cells = [cell for cell in row.iter(_W_CELL) if next(cell.iterancestors(_W_ROW)) is row]
    return table_row(" ".join(map(_paragraph_text, cell.iter(_W_PARAGRAPH))) for cell in cells)


def _paragraph_text(paragraph: Any) -> str:
    return "".join(_W_SPACES.get(part.tag) or part.text or "" for part in paragraph.iter(_W_TEXT, *_W_SPACES))


def load_docx(data: bytes) -> Content:
    """One page of the whole file."""
    check_archive(data)
    title, text = docx_text(data)
    return Content([clean_page(text, title)], [])
