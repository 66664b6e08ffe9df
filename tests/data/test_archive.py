"""Archives that are no Word files, and Word files that were put together to do harm."""

import io
import struct
import zipfile
from pathlib import Path

import pytest

from spring.data.loaders import archive
from spring.data.loaders.archive import check_archive
from spring.errors import DocumentError
from tests.support.files import CORPORA, error_of, only_page, saved, word_file, write
from tests.support.hostile import BOMB, DAMAGED, DTD, NO_ZIP, docx_with, entity_bomb, with_shared_entries

PART = b"word/document.xml"


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


WORD = unzipped(saved(word_file()))


def refusal(data: bytes) -> str:
    with pytest.raises(DocumentError) as error:
        check_archive(data)
    return str(error.value)


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """The archive with some bytes of the last directory entry of the document's text changed."""
    place = data.rindex(PART) - 46 + offset
    return data[:place] + value + data[place + len(value) :]


@pytest.mark.parametrize("path", sorted(CORPORA.rglob("*.docx")), ids=lambda path: path.name)
def test_ordinary_files_pass(path: Path) -> None:
    check_archive(path.read_bytes())


def test_a_repacked_file_passes() -> None:  # so that the ones below show something
    check_archive(zipped(WORD))
    check_archive(zipped(WORD, zipfile.ZIP_STORED))
    check_archive(patched(zipped(WORD), 8, b"\0\0"))


@pytest.mark.parametrize("entries", [{"hello.txt": b"hello"}, {"[Content_Types].xml": b"", "visio/document.xml": b""}])
def test_other_archives_are_no_word_files(entries: dict[str, bytes]) -> None:
    assert "it is a zip archive but no Word file" in refusal(zipped(entries))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (docx_with(b" " * 20 * 2**20), BOMB),
        (zipped(WORD | {f"word/{number}": b"" for number in range(4_000)}), BOMB),
        (with_shared_entries(zipped(WORD), 2), NO_ZIP),
        (patched(zipped(WORD), 8, b"\1\0"), NO_ZIP),  # encrypted
        (zipped(WORD, zipfile.ZIP_BZIP2), NO_ZIP),
        (zipped(WORD, zipfile.ZIP_LZMA), NO_ZIP),
        (entity_bomb(), DTD),
        (docx_with(b"<!DOCTYPE a><a/>", "docProps/core.xml"), DTD),
    ],
    ids=["ratio", "entries", "overlap", "encrypted", "bzip2", "lzma", "entities", "DTD in another part"],
)
def test_harmful_archives(data: bytes, message: str) -> None:
    assert refusal(data) == message


def test_two_entries_of_one_name() -> None:
    buffer = io.BytesIO(zipped(WORD))
    with zipfile.ZipFile(buffer, "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr(PART.decode(), b"another")
    assert refusal(buffer.getvalue()) == NO_ZIP


def test_an_entry_that_states_less_than_it_holds_is_not_unpacked_further(tmp_path: Path) -> None:
    data = patched(docx_with(b" " * 5 * 2**20), 24, struct.pack("<I", 1_000))
    assert error_of(write(tmp_path / "a.docx", data)) == DAMAGED


def test_a_file_that_is_large_all_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_UNPACKED", 2**20)
    data = zipped(WORD | {"word/media/image.png": bytes(2**20)}, zipfile.ZIP_STORED)
    assert refusal(data) == "it unpacks to 2 MB; save it as .docx without its pictures"


def test_entities_that_hide_from_the_check_are_not_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "has_doctype", lambda xml: False)
    secret = write(tmp_path / "secret", "the secret word")
    entity = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "expanded">]>'
    xml = WORD[PART.decode()].replace(b"<w:document ", entity.encode() + b"<w:document ").replace(b"First", b"&x;&y;")
    path = write(tmp_path / "a.docx", docx_with(xml))
    text = only_page(path).text
    assert "Last paragraph" in text
    assert "secret" not in text
    assert "expanded" not in text
