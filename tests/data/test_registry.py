"""The loader of a file is chosen by its content and its name; files that are not what they seem."""

import os
from pathlib import Path

import pytest

from spring.data.loaders.registry import read_file
from tests.support.files import error_of, only_page, pdf, saved, word_file, write


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "it is empty"),
        ("a.pdf", b"", "it is empty"),
        ("a.txt", b" \n\t ", "it has no words"),
        ("a.txt", "— … !".encode(), "it has no words"),
        ("a.txt", b"lamp\0oil", "does not look like text"),
        ("a.txt", bytes(range(1, 256)) * 9, "does not look like text"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "does not look like text"),
        ("a.pdf", b"<html>lamp</html>", "it is not what its name says, a .pdf file"),
        ("a.docx", b"lamp", "it is not what its name says, a .docx file"),
        ("a.txt", b"%PDF-1.7 lamp", "it could not be read and is probably damaged"),
        ("a.html", b"PK\3\4 lamp", "it could not be read and is probably damaged"),
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
    assert read_file(write(tmp_path / "a.pdf", saved(word_file()))).title == "From the properties"
    page = "<!-- saved --> <!DOCTYPE html><p>One <b>lamp</b>"
    assert only_page(write(tmp_path / "a.txt", page)).text == "One lamp"


def test_a_text_that_merely_begins_like_another_kind_is_a_text(tmp_path: Path) -> None:
    assert only_page(write(tmp_path / "a.txt", "MZ is how programs begin.")).text == "MZ is how programs begin."
    assert only_page(write(tmp_path / "b.txt", "About %PDF-1.7 files.")).text == "About %PDF-1.7 files."


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
    assert "change its permissions" in error_of(write(tmp_path / "a.txt", "lamp"))


def test_a_few_bad_bytes_are_reported_and_do_not_spoil_the_rest(tmp_path: Path) -> None:
    data = ("Le café est fermé.\n\n" * 100).encode() + b"\xff"
    pages, warnings, _ = read_file(write(tmp_path / "a.txt", data))
    assert pages[0].text.split("\n") == ["Le café est fermé."] * 100 + ["\ufffd"]
    assert warnings == ["1 byte was not UTF-8"]
