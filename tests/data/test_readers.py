"""Real files of every type in, pages out; and what is wrong with a file in one sentence."""

import json
import os
import random
import re
from pathlib import Path

import pytest
from pypdf import PageObject

from spring.data.loaders.registry import read_file
from spring.data.types import Page
from spring.errors import DocumentError
from tests.support.files import encrypted, error_of, only_page, pdf, saved, word_file, write

# --- PDF ---


def test_pdf_pages_and_hyphenation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["The lamp is an exam-", "ple of the X-", "Ray kind."], ["Second page."]))
    assert [page.text for page in read_file(path)[0]] == [
        "The lamp is an example of the X- Ray kind.",
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

    def extract(page: PageObject) -> str:
        if (text := next(texts)) is None:
            raise KeyError("/Contents")
        return text

    monkeypatch.setattr(PageObject, "extract_text", extract)
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


# --- text and Markdown ---


def test_markdown(tmp_path: Path) -> None:
    table = "| a | b |\n|---|---|\n"
    text = f"# The *lamp* #\nA wrapped\nparagraph.\n\n## Oil\nOf whales.\n- one\n- two\n\n{table}"
    page = only_page(write(tmp_path / "a.md", text))
    assert page.title == "The *lamp*"
    assert page.text == "A wrapped paragraph.\n## Oil\nOf whales.\n- one\n- two\n| a | b |\n|---|---|"


def test_markdown_without_a_title(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.markdown", "## Oil\n\n```\n# comment\n```\n")).title == ""
    assert only_page(write(tmp_path / "b.md", "# Only a heading")) == Page("Only a heading")
    assert only_page(write(tmp_path / "c.md", "# On C#\nText")) == Page("Text", "On C#")


@pytest.mark.parametrize(("text", "encoding"), [("Zażółć", "iso-8859-2"), ("Şişli'de güneş", "windows-1254")])
def test_html_in_the_encoding_that_it_declares(tmp_path: Path, text: str, encoding: str) -> None:
    data = f'<meta charset="{encoding}"><p>{text}'.encode(encoding)
    assert only_page(write(tmp_path / "a.html", data)).text == text


# --- CSV ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    rows = [["name", "post", ""], ['Ada "A."', "cook\nand baker", "x"], ["", "", ""], ["Bo", "", ""]]
    lines = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", "\n".join(lines)))
    assert pages == [Page('name: Ada "A."; post: cook and baker; x\nname: Bo')]
    assert warnings == []


def test_csv_uneven_rows_and_one_column(tmp_path: Path) -> None:
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", "a,b\n1,2\n3\n\n4,5,6\n"))
    assert pages[0].text == "a: 1; b: 2\na: 3\na: 4; b: 5; 6"
    assert warnings == ["rows 3 and 5 have more or fewer cells than the header"]
    assert only_page(write(tmp_path / "b.csv", "lamp\noil\nwax\n")).text == "lamp: oil\nlamp: wax"
    assert only_page(write(tmp_path / "c.tsv", "a\tb\n")).text == "a; b"


def test_csv_with_an_open_quote_and_a_huge_field(tmp_path: Path) -> None:
    pages, warnings, _ = read_file(write(tmp_path / "a.csv", 'a,b\n1,2\n3,"four\n5,6\n'))
    assert pages[0].text == "a: 1; b: 2\na: 3; b: four 5,6"
    assert warnings == ["a quotation mark in row 3 is never closed, the rest was read as one cell"]
    assert len(only_page(write(tmp_path / "b.csv", "a,b\n1," + "lamp " * 100_000)).text) > 400_000


# --- JSON Lines ---


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        '{"id": 0, "contents": "Luna 2\\nIt hit\u2028the Moon.\\ud800"}'.encode(),
        json.dumps({"title": "Luna 3", "text": "The far side. \ud83d"}).encode(),
        json.dumps({"text": "No title."}).encode(),
        b"",
        json.dumps({"contents": "One line"}).encode(),
    ]  # fmt: skip
    pages, warnings, _ = read_file(write(tmp_path / "a.jsonl", b"\r\n".join(rows)))
    assert pages == [
        Page("It hit the Moon.\ufffd", "Luna 2", "0"),
        Page("The far side. \ufffd", "Luna 3"),
        Page("No title."),
        Page("One line"),
    ]
    assert warnings == []


def test_json_lines_bad_rows(tmp_path: Path) -> None:
    bad = [
        "[" * 100_000 + "]" * 100_000,
        '{"text": ' + "9" * 5_000 + "}",
        "{oops",
        "[1]",
        '{"text": " "}',
        '{"text": 7}',
        "7",
    ]
    pages, warnings, _ = read_file(write(tmp_path / "a.jsonl", "\n".join([*bad, '{"text": "good"}'])))
    assert pages == [Page("good")]
    assert warnings == [
        "row 1 skipped (nested too deeply)",
        "rows 2 and 3 skipped (not valid JSON)",
        "rows 4 and 7 skipped (not an object)",
        'rows 5 and 6 skipped (no text in "contents" or "text")',
    ]
    assert error_of(write(tmp_path / "b.jsonl", "\n".join(["{oops"] * 20))).startswith(
        "no row has text (rows 1, 2, 3, 4, 5 and 15 more skipped (not valid JSON)); each must be"
    )


def test_a_title_as_long_as_a_paragraph_is_text(tmp_path: Path) -> None:
    title = "word " * 100
    page = only_page(write(tmp_path / "a.jsonl", json.dumps({"title": title, "text": "text"})))
    assert page == Page(f"{title.strip()}\ntext")


# --- files that are not what they seem ---


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "it is empty"),
        ("a.pdf", b"", "it is empty"),
        ("a.txt", b" \n\t ", "it has no words"),
        ("a.txt", "— … !".encode(), "it has no words"),
        ("a.txt", b"lamp\0oil", "does not look like text"),
        ("a.txt", bytes(range(1, 256)) * 9, "does not look like text"),
        ("a.txt", "lamp".encode("utf-16-le"), "does not look like text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "does not look like text"),
        ("a.pdf", b"<html>lamp</html>", "it is not what its name says, a .pdf file"),
        ("a.docx", b"lamp", "it is not what its name says, a .docx file"),
        ("a.txt", b"%PDF-1.7 lamp", "it could not be read and is probably damaged"),
        ("a.html", b"PK\3\4 lamp", "it could not be read and is probably damaged"),
        ("a.txt", b"{\\rtf1\\ansi lamp}", "it is an RTF file; save it as .docx"),
        ("a.pdf", b"MZ\x90\0\3\0", "it is a program, no document"),
        ("a.txt", b"\x7fELF\2\1\1\0", "it is a program, no document"),
        ("a.jsonl", b"\n\n", "no row has text (there are none)"),
        ("a.xyz", b"lamp", "skipped, its type is not read; save it as one of .pdf .docx"),
        ("lamp", b"lamp", "skipped, its type is not read"),
    ],
)
def test_wrong_files(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    assert message in error_of(write(tmp_path / name, data))


@pytest.mark.parametrize("name", ["a.txt", "a.docx", "a.jsonl"])
def test_a_pdf_is_a_pdf_under_any_name(tmp_path: Path, name: str) -> None:
    assert only_page(write(tmp_path / name, pdf(["The lamp."]))).text == "The lamp."


def test_a_word_file_and_a_web_page_are_read_under_other_names(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.pdf", saved(word_file()))).title == "Winch House"
    page = "<!-- saved --> <!DOCTYPE html><p>One <b>lamp</b>"
    assert only_page(write(tmp_path / "a.txt", page)).text == "One lamp"


def test_a_text_that_merely_begins_like_another_kind_is_a_text(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.txt", "MZ is how programs begin.")).text == "MZ is how programs begin."
    assert only_page(write(tmp_path / "b.txt", "About %PDF-1.7 files.")).text == "About %PDF-1.7 files."


def test_a_pdf_of_too_many_pages_is_not_begun(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pdf", pdf(["One."], ["Two."], ["Three."]))
    with pytest.raises(DocumentError, match="it has 3 pages or rows; 2 are the most, split it"):
        read_file(path, most_pages=2)
    assert len(read_file(path, most_pages=3)[0]) == 3


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "does not exist" in error_of(tmp_path / "none.txt")
    assert "does not exist" in error_of(tmp_path / ("long" * 500 + ".txt"))
    assert "does not exist" in error_of(tmp_path / "null\0.txt")
    assert "is a folder" in error_of(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    assert "is not a file" in error_of(tmp_path / "pipe.txt")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "could not be read" in error_of(write(tmp_path / "a.txt", "lamp"))


def test_a_few_bad_bytes_are_reported_and_do_not_spoil_the_rest(tmp_path: Path) -> None:
    data = ("Le café est fermé.\n\n" * 100).encode() + b"\xff"
    pages, warnings, _ = read_file(write(tmp_path / "a.txt", data))
    assert pages[0].text.split("\n") == ["Le café est fermé."] * 100 + ["\ufffd"]
    assert warnings == ["1 byte was not UTF-8"]
