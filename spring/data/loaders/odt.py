"""Load OpenDocument texts: one page, with headings, lists, tables and notes."""

import io
import re
from collections.abc import Iterator, Set
from typing import Any
from zipfile import ZipFile

from lxml import etree

from spring.data.cleaning import table_row
from spring.data.loaders.archive import check_zip
from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.safe_xml import parse_xml
from spring.data.loaders.superscripts import superscript

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_HEADING, _PARAGRAPH, _ROW = f"{_TEXT}h", f"{_TEXT}p", f"{_TABLE}table-row"
# What does not show: deleted text, remarks, and what a style hides.
_UNSEEN = (f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}hidden-paragraph", f"{_TEXT}hidden-text")
_SPACES = {f"{_TEXT}s": " ", f"{_TEXT}tab": " ", f"{_TEXT}line-break": "\n\n"}
_RAISED = re.compile(r"super|[1-9]")  # a position: by its name, or by how far it is up
_NOTE, _CITATION = f"{_TEXT}note", f"{_TEXT}note-citation"
_SPAN = f"{_TEXT}span"


def load_odt(data: bytes) -> Content:
    """One page of the whole file; the title is that of its properties, or of its first paragraph of that style."""
    check_zip(data, "document", ".odt")
    with ZipFile(io.BytesIO(data)) as archive:
        root = parse_xml(archive.read("content.xml"))
        body = root.find(f"{_OFFICE}body")
        title = ""
        if "meta.xml" in archive.namelist():
            title = parse_xml(archive.read("meta.xml")).findtext(f".//{_TITLE}") or ""
    etree.strip_elements(body, *_UNSEEN, with_tail=False)
    styles = {
        style.get(f"{_STYLE}name"): style.get(f"{_STYLE}parent-style-name") for style in root.iter(f"{_STYLE}style")
    }
    named = (p.get(f"{_TEXT}style-name") for p in body.iter(_PARAGRAPH))
    styled = (
        _string(paragraph)
        for paragraph, style in zip(body.iter(_PARAGRAPH), named, strict=True)
        if "Title" in (style, styles.get(style))
    )
    title = title.strip() or next(styled, "")
    properties = root.iter(f"{_STYLE}text-properties")
    raised = {
        found.getparent().get(f"{_STYLE}name")
        for found in properties
        if _RAISED.match(found.get(f"{_STYLE}text-position", ""))
    }
    return Content([build_page(_blocks(body, raised))], [], clean_title(title))


def _blocks(body: Any, raised: Set[str]) -> Iterator[Block]:
    for element in body.iter(_HEADING, _PARAGRAPH, _ROW):
        if next(element.iterancestors(_HEADING, _PARAGRAPH, _ROW), None) is not None:
            continue  # read with the row, note or frame that holds it
        if element.tag == _ROW:
            cells = (cell for cell in element if cell.tag == f"{_TABLE}table-cell")
            yield Block(table_row(_string(cell, raised) for cell in cells))
        elif element.tag == _HEADING:
            level = element.get(f"{_TEXT}outline-level") or ""
            yield Block(
                _string(element, raised), min(int(level), 9) or 1 if re.fullmatch(r"\d{1,2}", level, re.ASCII) else 1
            )
        else:
            yield Block(_string(element, raised))


def _string(element: Any, raised: Set[str] = frozenset()) -> str:
    """The text of a paragraph or a cell; notes stand in brackets where they are cited.

    raised: the styles of raised characters.
    """
    parts: list[str] = []
    marks: list[int] = []  # where raised characters begin
    cited = 0
    for event, part in etree.iterwalk(element, events=("start", "end")):
        start = event == "start"
        cited += (start - (not start)) * (part.tag == _CITATION)
        if part.tag == _SPAN and part.get(f"{_TEXT}style-name") in raised:
            if start:
                marks.append(len(parts))
            else:
                place = marks.pop()
                before, mark = "".join(parts[max(0, place - 8) : place]), "".join(parts[place:])
                parts[place:] = [superscript(before[-40:], mark, part.tail or "")]
        if part.tag == _NOTE:
            parts.append(" (" if start else ")")
        elif start and part.tag in (_PARAGRAPH, _HEADING):
            parts.append(" ")
        elif start:
            parts.append(_SPACES.get(part.tag, ""))
        if start and not cited:
            parts.append(part.text or "")
        elif not start and part is not element:
            parts.append(part.tail or "")
    return re.sub(r"\(\s+", "(", "".join(parts))
