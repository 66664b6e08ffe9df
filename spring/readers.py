"""From a file to its `Page`s of clean text, with what the user should know of the reading.

A PDF has its pages and a JSON Lines file its rows, any other file is one page. There is one reader for each of
`FILE_TYPES`; those of text files get what `spring.decoding` made of the bytes. `read_pages` is the only way in,
and whatever is wrong with a file, it raises DocumentError alone. Crafted files can make the parsers run long, so what
strangers send is read in a process with limits: `spring.parsing`.
"""

import csv
import io
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from zipfile import BadZipFile

from bs4.exceptions import ParserRejectedMarkup
from docx.opc.exceptions import OpcError
from lxml.etree import LxmlError
from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError

from spring.archive import check_archive
from spring.decoding import decode
from spring.errors import DocumentError
from spring.kinds import BINARY_TYPES, kind_of, looks_like_html
from spring.markup import docx_text, html_text
from spring.text import clean_text, join_hyphenated, one_line


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a PDF, one row of a JSON Lines file, the whole of any other file.

    text: paragraphs, table rows and list items, each on one line. title: one line, or "" where there is none.
    id: what a row of a collection calls itself; question files name the passage with the answer by it.
    """

    text: str
    title: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if "\n" in self.title:
            raise ValueError("The title of a page is one line.")


_Content = tuple[list[Page], list[str]]
_LONGEST_TITLE = 200  # characters; it is repeated in every passage of its page


def _clean_page(text: str, title: str = "") -> Page:
    """A page of clean text. A title with nothing below it, or as long as a paragraph, becomes text."""
    text, title = clean_text(text), one_line(clean_text(title))
    if not text or len(title) > _LONGEST_TITLE:
        return Page(f"{title}\n{text}".strip())
    return Page(text, title)


def _numbers(noun: str, numbers: Sequence[int]) -> str:
    """`page 2`, `rows 2 and 5`, `rows 1, 2, 3, 4, 5 and 12 more`: short however many there are."""
    shown = [str(number) for number in numbers[:5]]
    if len(numbers) > len(shown):
        shown.append(f"{len(numbers) - len(shown)} more")
    listed = " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
    return f"{noun} {listed}" if len(numbers) == 1 else f"{noun}s {listed}"


# --- one reader for each file type: its pages, and the warnings ---


def _read_pdf(data: bytes, most_pages: int) -> _Content:
    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("it is encrypted; save it without a password")
    _check_pages(len(reader.pages), most_pages)
    pages, damaged = [], []
    for number in range(1, len(reader.pages) + 1):
        try:
            text = reader.pages[number - 1].extract_text()
        except PARSER_ERRORS:  # one bad page should not lose the others
            text = ""
            damaged.append(number)
        pages.append(_clean_page(join_hyphenated(text)))
    if damaged and not any(page.text for page in pages):
        raise DocumentError("its pages could not be read, it is probably damaged; save it again")
    empty = [number for number, page in enumerate(pages, 1) if not page.text and number not in damaged]
    if len(empty) == len(pages):
        place = "its only page" if len(pages) == 1 else f"its {len(pages)} pages"
        raise DocumentError(f"no text found in {place}; it is probably a scan, run OCR first")
    warnings = [f"{_numbers('page', damaged)} could not be read"] if damaged else []
    if empty:
        warnings.append(f"{_numbers('page', empty)} {'has' if len(empty) == 1 else 'have'} no text")
    return pages, warnings


def _read_docx(data: bytes) -> _Content:
    check_archive(data)
    title, text = docx_text(data)
    return [_clean_page(text, title)], []


def _read_html(text: str) -> _Content:
    title, text = html_text(text)
    return [_clean_page(text, title)], []


def _read_markdown(text: str) -> _Content:
    text = re.sub(r"^(#{1,6}[ \t].*)$", r"\n\1\n", text, flags=re.MULTILINE)  # a heading ends with its line
    heading = re.search(r"^#[ \t]+(.*)$", text.partition("```")[0], re.MULTILINE)
    if heading is None:
        return [_clean_page(text)], []
    title, closed = heading[1].strip(), heading[1].strip().rstrip("#")
    title = closed if closed.endswith((" ", "\t")) else title  # `# C#` is not closed, `# The lamp #` is
    return [_clean_page(text[: heading.start()] + text[heading.end() :], title)], []


def _read_plain(text: str) -> _Content:
    return [_clean_page(text)], []


_CSV_END = "\x1e"


def _read_csv(text: str) -> _Content:
    try:
        delimiter = csv.Sniffer().sniff(text[:8192], ",;\t").delimiter
    except csv.Error:
        delimiter = ","
    # The limit is the whole process's, so it is only ever raised; no field is longer than its file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 2))
    # A last row of our own shows whether a quotation mark was left open: then it is not a row by itself.
    rows = list(csv.reader(io.StringIO(f"{text}\n{_CSV_END}"), delimiter=delimiter))
    warnings = []
    if rows[-1] == [_CSV_END]:
        rows.pop()
    else:
        warnings.append(f"a quotation mark in row {len(rows)} is never closed, the rest was read as one cell")
    header: list[str] = next(filter(None, rows), [])
    records = [(number, row) for number, row in enumerate(rows, 1) if row][1:]
    uneven = [number for number, row in records if len(row) != len(header)]
    if uneven:
        verb = "has" if len(uneven) == 1 else "have"
        warnings.append(f"{_numbers('row', uneven)} {verb} more or fewer cells than the header")
    lines = [_csv_line(header, row) for _, row in records] or ["; ".join(header)]
    return [_clean_page("\n\n".join(lines))], warnings


def _csv_line(header: list[str], row: list[str]) -> str:
    cells = zip_longest(map(one_line, header), map(one_line, row), fillvalue="")
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells if value)


def _read_json_lines(text: str) -> _Content:
    pages: list[Page] = []
    skipped: dict[str, list[int]] = {}
    for number, row in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold U+2028 as it is
        page = _json_page(row) if row.strip() else None
        if isinstance(page, Page):
            pages.append(page)
        elif page is not None:
            skipped.setdefault(page, []).append(number)
    warnings = [f"{_numbers('row', numbers)} skipped ({reason})" for reason, numbers in skipped.items()]
    if not pages:
        reasons = "; ".join(warnings) or "there are none"
        raise DocumentError(f'no row has text ({reasons}); each must be an object with "contents" or "text"')
    return pages, warnings


def _json_page(row: str) -> Page | str:
    """The page that a row holds, or the reason why it holds none."""
    try:
        value = json.loads(row)
    except RecursionError:
        return "nested too deeply"
    except ValueError:  # also a number of more digits than Python converts
        return "not valid JSON"
    if not isinstance(value, dict):
        return "not an object"
    contents, text, title = value.get("contents"), value.get("text"), value.get("title")
    identity = str(value["id"]) if isinstance(value.get("id"), str | int) else ""
    if isinstance(contents, str) and contents.strip():
        title, _, text = contents.strip().partition("\n")
        return replace(_clean_page(text, title), id=identity)
    if isinstance(text, str) and text.strip():
        return replace(_clean_page(text, title if isinstance(title, str) else ""), id=identity)
    return 'no text in "contents" or "text"'


_TEXT: dict[str, Callable[[str], _Content]] = {
    **dict.fromkeys((".html", ".htm"), _read_html),
    **dict.fromkeys((".md", ".markdown"), _read_markdown),
    ".txt": _read_plain,
    **dict.fromkeys((".csv", ".tsv"), _read_csv),
    ".jsonl": _read_json_lines,
}
FILE_TYPES: tuple[str, ...] = (*BINARY_TYPES, *_TEXT)

# What the parsers raise on damaged files: the libraries' own errors, then Python's that pass through them.
_LIBRARY_ERRORS = (PyPdfError, DependencyError, OpcError, LxmlError, ParserRejectedMarkup)
_FORMAT_ERRORS = (BadZipFile, zlib.error, struct.error, csv.Error, EOFError, OSError)
_PYTHON_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
PARSER_ERRORS = (*_LIBRARY_ERRORS, *_FORMAT_ERRORS, *_PYTHON_ERRORS, RuntimeError)


# --- from the bytes of a file to its reader ---


def read_pages(path: Path, most_pages: int | None = None) -> tuple[list[Page], list[str]]:
    """The pages of a file of one of FILE_TYPES, in order, at least one with a word; and the warnings.

    Raises DocumentError: what was wrong and what to do, to be put after the name of the file.
    """
    try:
        pages, warnings = _read(path, most_pages or sys.maxsize)
    except PARSER_ERRORS as error:
        raise DocumentError("it could not be read and is probably damaged; save it again") from error
    except MemoryError as error:
        raise DocumentError("reading it takes too much memory; save it again, or give a smaller part of it") from error
    _check_pages(len(pages), most_pages or sys.maxsize)
    if not any(re.search(r"[^\W_]", page.text) for page in pages):
        raise DocumentError("it has no words; check that it is the right file")
    return pages, warnings


def _check_pages(pages: int, most: int) -> None:
    if pages > most:
        raise DocumentError(f"it has {pages:,} pages or rows; {most:,} are the most, split it")


def _read(path: Path, most_pages: int) -> _Content:
    suffix = path.suffix.lower()
    if os.path.isdir(path):  # os.path's tests, because Path's raise on some names
        raise DocumentError("it is a folder without files to read; give a file")
    if not os.path.isfile(path):
        raise DocumentError("it does not exist or is not a file; check its name")
    if suffix not in FILE_TYPES:
        raise DocumentError(f"skipped, its type is not read; save it as one of {' '.join(FILE_TYPES)}")
    data = path.read_bytes()
    kind = kind_of(data, suffix)
    if kind == ".pdf":
        return _read_pdf(data, most_pages)
    if kind == ".docx":
        return _read_docx(data)
    text, decoding_warnings = decode(data)
    reader = _read_html if looks_like_html(text) else _TEXT[suffix]
    pages, warnings = reader(text)
    return pages, warnings + decoding_warnings
