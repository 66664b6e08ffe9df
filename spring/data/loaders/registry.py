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
from spring.data.loaders.epub import load_epub
from spring.data.loaders.failures import PARSER_ERRORS
from spring.data.loaders.file_types import ARCHIVES, kind_of, looks_like_html
from spring.data.loaders.html import load_html
from spring.data.loaders.json_lines import load_json_lines
from spring.data.loaders.mail import load_eml
from spring.data.loaders.markdown import load_markdown
from spring.data.loaders.notebook import load_notebook
from spring.data.loaders.odt import load_odt
from spring.data.loaders.outline import load_org
from spring.data.loaders.pdf import load_pdf
from spring.data.loaders.records import load_json, load_xml
from spring.data.loaders.rst import load_rst
from spring.data.loaders.rtf import load_rtf
from spring.data.loaders.slides import load_pptx
from spring.data.loaders.subtitles import load_subtitles
from spring.data.loaders.tex import load_tex
from spring.data.loaders.text import load_log, load_text
from spring.data.loaders.workbook import load_xlsx
from spring.errors import DocumentError

# What people call the kinds of files, with the endings of their names and what loads them.
# By a file's bytes, beside PDF; the number is that of the pages which it may have.
_BINARY_KINDS: dict[str, tuple[tuple[str, ...], Callable[[bytes, int], Content]]] = {
    "Word": (ARCHIVES[".docx"], lambda data, _: load_docx(data)),
    "Excel": (ARCHIVES[".xlsx"], load_xlsx),
    "PowerPoint": (ARCHIVES[".pptx"], load_pptx),
    "OpenDocument text": (ARCHIVES[".odt"], lambda data, _: load_odt(data)),
    "EPUB": (ARCHIVES[".epub"], load_epub),
    "RTF": ((".rtf",), lambda data, _: load_rtf(data)),
    "e-mail": ((".eml",), lambda data, _: load_eml(data)),
}
_TEXT_KINDS: dict[str, tuple[tuple[str, ...], Callable[[str], Content]]] = {
    "HTML": ((".html", ".htm", ".xhtml"), load_html),
    "Markdown": ((".md", ".markdown"), load_markdown),
    "text": ((".txt", ".text"), load_text),
    "logs": ((".log",), load_log),
    "reStructuredText": ((".rst",), load_rst),
    "Org": ((".org",), load_org),
    "LaTeX": ((".tex",), load_tex),
    "subtitles": ((".srt", ".vtt"), load_subtitles),
    "CSV": ((".csv", ".tsv"), load_csv),
    "JSON Lines": ((".jsonl", ".ndjson"), load_json_lines),
    "JSON": ((".json",), load_json),
    "Jupyter": ((".ipynb",), load_notebook),
    "XML": ((".xml",), load_xml),
}
FILE_KINDS: tuple[str, ...] = ("PDF", *_BINARY_KINDS, *_TEXT_KINDS)
_BINARY = {suffix: load for suffixes, load in _BINARY_KINDS.values() for suffix in suffixes}
_TEXT = {suffix: load for suffixes, load in _TEXT_KINDS.values() for suffix in suffixes}
MARKUP_TYPES = (".html", ".htm", ".xhtml", ".xml")  # they may declare their encoding
FILE_TYPES: tuple[str, ...] = (".pdf", *_BINARY, *_TEXT)


def read_file(path: Path, most_pages: int | None = None, in_time: Callable[[], bool] = lambda: True) -> Content:
    """The pages of a file of one of FILE_TYPES, in order, at least one with a word; and the warnings.

    in_time: whether there is time for one more page; of a long PDF the rest is left out, with a warning.

    Raises DocumentError: what was wrong and what to do, to be put after the name of the file.
    """
    try:
        content = _read(path, most_pages or sys.maxsize, in_time)
    except PermissionError as error:
        raise DocumentError("it may not be read by this program; change its permissions") from error
    except PARSER_ERRORS as error:
        raise DocumentError("it could not be read and is probably damaged; save it again") from error
    except MemoryError as error:
        raise DocumentError("reading it takes too much memory; save it again, or give a smaller part of it") from error
    check_pages(len(content.pages), most_pages or sys.maxsize)
    if not any(re.search(r"[^\W_]", page.text) for page in content.pages):
        raise DocumentError("it has no words; check that it is the right file")
    return content


def _read(path: Path, most_pages: int, in_time: Callable[[], bool]) -> Content:
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
        return load_pdf(data, most_pages, in_time)
    if kind or suffix == ".eml":
        return _BINARY[kind or suffix](data, most_pages)
    text, decoding_warnings = decode(data, suffix in MARKUP_TYPES or data.lstrip()[:1] == b"<")
    reader = load_html if looks_like_html(text) else _TEXT.get(suffix, load_text)
    content = reader(text)
    return content._replace(warnings=content.warnings + decoding_warnings)
