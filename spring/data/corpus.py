"""Stream passages from files of any size: JSON Lines of FlashRAG and BEIR, also compressed, and other documents.

A JSON Lines file is read row by row and never held in memory; every other document is read whole, in the child process
of `spring.data.sandbox`.
"""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from unicodedata import is_normalized

import orjson

from spring.data.chunking import split_passages
from spring.data.cleaning import CJK, SOUTHEAST_ASIAN, one_line, without_surrogates
from spring.data.loaders.content import clean_page
from spring.data.types import LONGEST_TITLE, Document, Page, Passage
from spring.errors import DocumentError

ROW_TYPES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_LONGEST_ROW = 64 * 2**20  # bytes; a longer line is no row of a corpus
_UNSPACED = re.compile(f"[{CJK}{SOUTHEAST_ASIAN}]")
_TITLES, _TEXTS, _IDS = ("title",), ("text",), ("id", "_id")


@dataclass(frozen=True, slots=True)
class Fields:
    """The names under which a row holds its title and text. Empty: FlashRAG's and BEIR's."""

    title: str = ""
    text: str = ""


FLASHRAG = Fields()


def holds_rows(path: Path) -> bool:
    """Whether a file is read row by row."""
    return path.name.lower().endswith(ROW_TYPES)


class _ZstdFile(io.RawIOBase):
    """A file decompressed; unlike zstandard's own reader it does not take a file that was cut off for a whole one."""

    def __init__(self, file: BinaryIO) -> None:
        import zstandard

        self._file, self._decompressor = file, zstandard.ZstdDecompressor()
        self._frame = self._decompressor.decompressobj()
        self._began = False
        self._rest = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            data = self._rest or self._file.read(2**17)
            if not data:
                if self._began and not self._frame.eof:
                    raise EOFError
                return 0
            if self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            self._began = True
            self._ready = memoryview(self._frame.decompress(data))
            self._rest = self._frame.unused_data if self._frame.eof else b""
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a JSON Lines file: its rows, decompressed, and the file itself, whose position shows how far reading is.

    Raises:
        DocumentError: it cannot be opened, or its compressed data is damaged (also raised while it is read).

    """
    import zstandard  # only here: the page needs none of it

    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".gz":
                yield io.BufferedReader(gzip.GzipFile(fileobj=file)), file
            elif path.suffix.lower() == ".zst":
                yield io.BufferedReader(_ZstdFile(file), 2**20), file
            else:
                yield file, file
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged or cut off"
        raise DocumentError(f"{path.name} could not be read to its end: {reason}.") from error


def batches(rows: BinaryIO, size: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of a file, so many at once, each time with the number of the first, from 1."""
    first = 1
    while lines := list(islice(iter(lambda: rows.readline(_LONGEST_ROW), b""), size)):
        yield first, lines
        first += len(lines)


def passages_of(line: bytes, name: str, number: int, fields: Fields) -> list[Passage] | str:
    """The passages of one row, or the reason why it has none; of an empty line, no passage.

    Args:
        line: a JSON object. FlashRAG's `contents` is the title, a newline and the text; BEIR's has `title` and `text`.
        name: of the file.
        number: of the row, from 1: the page of its passages. Their `index` counts within the row.
        fields: other names of title and text.

    """
    if not line.strip():
        return []
    try:
        value = _json(line)
    except RecursionError:
        return "nested too deeply"
    except ValueError:  # also bytes that are not UTF-8, and a number of more digits than Python converts
        return "not valid JSON"
    if not isinstance(value, dict):
        return "not an object"
    page = _page(value, fields)
    if page is None:
        return f"no text in {_names(fields)}"
    if _is_short(page.text):
        return [Passage(name, number, 0, page.text, "", page.title, page.id)]
    return [replace(piece, page=number) for piece in split_passages(Document(name, (page,)))]


def _json(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # Python takes more: NaN, half a surrogate pair, deeper nesting, large numbers
        return json.loads(line)


def _is_short(text: str) -> bool:
    """Whether a text is surely no longer than one passage, as most rows are: then looking for cuts is time lost."""
    words = text.count(" ") + text.count("\n") + 1
    return words <= 120 and len(text) < 2_000 and (text.isascii() or not _UNSPACED.search(text))


def _cleaned(text: str, title: str, identity: str) -> Page:
    """A page of clean text; most rows are one line, and clean but for their spaces."""
    if text and len(title) <= LONGEST_TITLE and _is_clean(text) and _is_clean(title):
        return Page(_spaced(text), _spaced(title), identity)
    return replace(clean_page(text, title), id=identity)


def _is_clean(text: str) -> bool:
    """Whether `clean_text` would change nothing but spaces: one line without control characters and odd spaces."""
    return text.isprintable() and is_normalized("NFC", text)


def _spaced(text: str) -> str:
    return one_line(text) if "  " in text else text.strip()


def _page(row: dict[str, Any], fields: Fields) -> Page | None:
    identity = without_surrogates(next((str(row[n]) for n in _IDS if isinstance(row.get(n), str | int)), ""))
    title = _first(row, (fields.title,) if fields.title else _TITLES)
    text = _first(row, (fields.text,) if fields.text else _TEXTS)
    contents = _first(row, ("contents",))
    if contents and not fields.text:
        title, _, text = contents.partition("\n")
        title = title.strip('"')  # FlashRAG's Wikipedia quotes its titles
    if not text:
        text, title = title, ""
    if not text or not text.strip():
        return None
    page = _cleaned(text, title, identity)
    return page if page.text else None


def _first(row: dict[str, Any], names: Sequence[str]) -> str:
    return next((value.strip() for name in names if isinstance(value := row.get(name), str)), "")


def _names(fields: Fields) -> str:
    return f'"{fields.text}"' if fields.text else '"contents" or "text"'
