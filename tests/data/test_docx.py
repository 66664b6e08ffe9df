"""Word files: what a reader sees of them, in order."""

import io
import zipfile
from pathlib import Path

import docx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from spring.data.types import Page
from tests.support.files import error_of, only_page, saved, word_file, write


def test_docx_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    page = only_page(write(tmp_path / "a.docx", saved(word_file())))
    assert page.title == "Winch House"
    assert page.text.split("\n") == [
        "Before the heading.",
        "First paragraph.",
        "Car | Weight in kg",
        "No. 2 | 1,900",
        "Both cars",
        "Last paragraph.",
        "After the break.",
    ]


def test_docx_title_from_the_properties_or_none(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    document.core_properties.title = "From the properties"
    assert only_page(write(tmp_path / "a.docx", saved(document))) == Page("Text.", "From the properties")
    document.core_properties.title = "Word Document"
    assert only_page(write(tmp_path / "a.docx", saved(document))) == Page("Text.")


def test_docx_text_that_python_docx_leaves_out(tmp_path: Path) -> None:
    document = docx.Document()
    run = "<w:r><w:t>{}</w:t></w:r>"
    gone = "<w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del>"
    control = f"<w:sdtContent><w:p>{run.format('In a control.')}</w:p></w:sdtContent>"
    control = f"<w:sdt {nsdecls('w')}>{control}</w:sdt>"
    tracked = f"<w:p {nsdecls('w')}><w:ins>{run.format('Inserted.')}</w:ins>{gone}</w:p>"
    moved = f"<w:p {nsdecls('w')}><w:moveFrom>{run.format('Moved away.')}</w:moveFrom></w:p>"
    for xml in (control, tracked, moved):
        document.element.body.insert(0, parse_xml(xml))
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "Outer"
    cell.add_table(1, 1).cell(0, 0).text = "inner"
    assert only_page(write(tmp_path / "a.docx", saved(document))).text.split("\n") == [
        "Inserted.",
        "In a control.",
        "Outer inner",
    ]


def test_damaged_docx(tmp_path: Path) -> None:
    data = saved(word_file())
    assert "it could not be read" in error_of(write(tmp_path / "cut.docx", data[: len(data) // 2]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "it could not be read" in error_of(write(tmp_path / "zip.docx", buffer.getvalue()))
    assert "encrypted Office file" in error_of(write(tmp_path / "old.docx", b"\xd0\xcf\x11\xe0" + bytes(600)))
