"""PDF files: pages in order, and what is wrong with a damaged one in one sentence."""

import random
import re
from pathlib import Path

import pypdfium2 as pdfium
import pytest

from spring.data.loaders.pdf_lines import Line, PageLines
from spring.data.loaders.registry import read_file
from spring.data.types import Page
from spring.errors import DocumentError
from tests.support.files import encrypted, error_of, only_page, pdf, write


def test_pdf_pages_and_hyphenation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["The lamp is an exam-", "ple of the X-", "Ray kind."], ["Second page."]))
    assert [page.text for page in read_file(path)[0]] == [
        "The lamp is an example of the X-Ray kind.",
        "Second page.",
    ]


def test_pdf_pages_without_text_are_named_and_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["One."], [], ["Three."], []))
    assert read_file(path) == (
        [Page("One."), Page(""), Page("Three."), Page("")],
        ["pages 2 and 4 have no text"],
        "",
    )


def test_scanned_pdf(tmp_path: Path) -> None:
    assert error_of(write(tmp_path / "scan.pdf", pdf([], [], []))) == (
        "no text found in its 3 pages; it is probably a scan, run OCR first"
    )
    assert "its only page" in error_of(write(tmp_path / "scan.pdf", pdf([])))


def test_encrypted_pdf(tmp_path: Path) -> None:
    plain = pdf(["Secret lamp."])
    assert "is encrypted" in error_of(write(tmp_path / "a.pdf", encrypted(plain, "password")))
    assert only_page(write(tmp_path / "b.pdf", encrypted(plain, ""))).text == "Secret lamp."


def test_one_damaged_page_does_not_lose_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["One.", None, "Three.", None])

    def lines(page: pdfium.PdfPage, form: object) -> PageLines:
        if (text := next(texts)) is None:
            raise pdfium.PdfiumError("the page")
        return PageLines([Line([text], 72, 200, 700, 712)], 842)

    monkeypatch.setattr("spring.data.loaders.pdf.page_lines", lines)
    path = write(tmp_path / "a.pdf", pdf(["x"], ["x"], ["x"]))
    pages, warnings, _ = read_file(path)
    assert [page.text for page in pages] == ["One.", "", "Three."]
    assert warnings == ["page 2 could not be read"]
    assert "its pages could not be read" in error_of(write(tmp_path / "b.pdf", pdf(["x"])))


def test_pdf_with_a_wrong_table_of_contents(tmp_path: Path) -> None:
    data = re.sub(rb"startxref\s+\d+", b"startxref\n7", pdf(["The lamp."]))
    assert only_page(write(tmp_path / "a.pdf", data)).text == "The lamp."


def test_damaged_pdfs_end_in_one_sentence(tmp_path: Path) -> None:
    whole, generator, errors = pdf(["The lamp burns."], ["Second."]), random.Random(3), []
    for number in range(60):
        data = bytearray(whole)
        for _ in range(40):
            data[generator.randrange(9, len(data))] = generator.randrange(256)
        path = write(tmp_path / f"{number}.pdf", bytes(data[: generator.randrange(20, len(data))]))
        try:
            read_file(path)
        except DocumentError as error:
            errors.append(str(error))
    assert errors
    assert not any("\n" in error for error in errors)


def test_a_pdf_of_too_many_pages_is_not_begun(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["One."], ["Two."], ["Three."]))
    with pytest.raises(DocumentError, match="it has 3 pages or rows; 2 are the most, split it"):
        read_file(path, most_pages=2)
    assert len(read_file(path, most_pages=3)[0]) == 3
