"""Which loader reads a file: by its first bytes and, between the kinds of text, by its name.

`read_file` is the only way in, and whatever is wrong with a file, it raises DocumentError alone. Crafted files can
make parsers run long, so strangers' files are read in a process with limits: `spring.data.sandbox`.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from spring.data.encoding import decode
from spring.data.loaders.content import Content, check_pages
from spring.data.loaders.csv_table import load_csv
from spring.data.loaders.docx import load_docx
from spring.data.loaders.failures import PARSER_ERRORS
from spring.data.loaders.file_types import BINARY_TYPES, kind_of, looks_like_html
from spring.data.loaders.html import load_html
from spring.data.loaders.json_lines import load_json_lines
from spring.data.loaders.markdown import load_markdown
from spring.data.loaders.pdf import load_pdf
from spring.data.loaders.text import load_text
from spring.errors import DocumentError

_TEXT: dict[str, Callable[[str], Content]] = {
    **dict.fromkeys((".html", ".htm"), load_html),
    **dict.fromkeys((".md", ".markdown"), load_markdown),
    ".txt": load_text,
    **dict.fromkeys((".csv", ".tsv"), load_csv),
    ".jsonl": load_json_lines,
}
MARKUP_TYPES = (".html", ".htm", ".xhtml", ".xml")  # they may declare their encoding
FILE_TYPES: tuple[str, ...] = (*BINARY_TYPES, *_TEXT)


def read_file(path: Path, most_pages: int | None = None) -> Content:
    """The pages of a file of one of FILE_TYPES, in order, at least one with a word; and the warnings.

    Raises DocumentError: what was wrong and what to do, to be put after the name of the file.
    """
    try:
        content = _read(path, most_pages or sys.maxsize)
    except PARSER_ERRORS as error:
        raise DocumentError("it could not be read and is probably damaged; save it again") from error
    except MemoryError as error:
        raise DocumentError("reading it takes too much memory; save it again, or give a smaller part of it") from error
    check_pages(len(content.pages), most_pages or sys.maxsize)
    if not any(re.search(r"[^\W_]", page.text) for page in content.pages):
        raise DocumentError("it has no words; check that it is the right file")
    return content


def _read(path: Path, most_pages: int) -> Content:
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
        return load_pdf(data, most_pages)
    if kind == ".docx":
        return load_docx(data)
    text, decoding_warnings = decode(data, suffix in MARKUP_TYPES or data.lstrip()[:1] == b"<")
    reader = load_html if looks_like_html(text) else _TEXT[suffix]
    content = reader(text)
    return content._replace(warnings=content.warnings + decoding_warnings)
