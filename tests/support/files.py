"""Real files for the tests, written and read."""

import io
from pathlib import Path

import docx
import pytest
from pypdf import PdfReader, PdfWriter
from reportlab.pdfgen.canvas import Canvas

from spring.data.loaders.registry import read_file
from spring.data.types import Page
from spring.errors import DocumentError

CORPORA = Path(__file__).parents[2] / "corpora"


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pdf(*pages: list[str]) -> bytes:
    """A PDF of pages of lines."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 750 - 20 * number, line)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted(data: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def saved(document: docx.document.Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def word_file() -> docx.document.Document:
    document = docx.Document()
    document.core_properties.title = "From the properties"
    document.add_paragraph("Before the heading.")
    document.add_heading("Winch House", level=1)
    document.add_paragraph("First paragraph.")
    table = document.add_table(rows=3, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Car", "Weight\nin kg"
    table.cell(1, 0).text, table.cell(1, 1).text = "No. 2", "1,900"
    table.cell(2, 0).merge(table.cell(2, 1)).text = "Both cars"
    document.add_paragraph("Last paragraph.\nAfter the break.")
    return document


def only_page(path: Path) -> Page:
    (page,) = read_file(path)[0]
    return page


def error_of(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        read_file(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)
