"""Load PDF files: one page for each page.

PDFium reads them. It is not written in a safe language, so a crafted file may end the process: strangers' files are
read in a child, as `spring.data.sandbox` does.
"""

import re
from collections.abc import Callable
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from spring.data.loaders.content import Content, build_page, check_pages, clean_title, numbered
from spring.data.loaders.pdf_layout import heading_key, layout
from spring.data.loaders.pdf_lines import MOST_FIELDS, PageLines, page_lines
from spring.data.types import Page
from spring.errors import DocumentError

_MOST_BOOKMARKS = 5_000
_DEEPEST_BOOKMARK = 6
_ENCRYPTED = "it is encrypted; save it without a password"
_DAMAGED = "it could not be read and is probably damaged; save it again"
# What programs call a document that nobody has called anything, and names of files.
_NO_TITLE = re.compile(
    r"\((?:anonymous|unspecified)\)"
    r"|(?:microsoft )?(?:word|powerpoint|excel)\b.*|untitled.*|unbenannt.*|sans titre.*|(?:no )?title|document\s*\d*"
    r"|dokument\s*\d*|presentation\s*\d*|slide \d+|layout \d+|scan\w*|.*\S\.(?:docx?|pdf|odt|rtf|txt|tex|dvi|ps|eps"
    r"|indd|qxp|pages|pptx?|xlsx?|html?|jpe?g|tiff?|png|wpd|p65|fm|cdr|ai)|[\W\d_]*|(?:file|https?):.*",
    re.IGNORECASE | re.DOTALL,
)


def load_pdf(data: bytes, most_pages: int, in_time: Callable[[], bool] = lambda: True) -> Content:
    """One page for each page of the PDF; damaged, empty and unreadable ones are warned of.

    Args:
        data: the file.
        most_pages: more are refused.
        in_time: whether there is time for one more page; the rest is left out, with a warning.

    Raises:
        DocumentError: it cannot be read, or no page has text.

    """
    document = _open(data)
    try:
        count = len(document)
        check_pages(count, most_pages)
        title = clean_title(document.get_metadata_value("Title"))
        form = _form(document)
        read: list[PageLines] = []
        damaged = []
        for number in range(1, count + 1):
            if read and not in_time():
                break
            try:
                page = document[number - 1]
                try:
                    read.append(page_lines(page, form))
                finally:
                    page.close()
            except pdfium.PdfiumError:  # one bad page should not lose the others
                read.append(PageLines([], 0.0))
                damaged.append(number)
        outline = _outline(document)
    finally:
        document.close()
    return _content(read, count, damaged, outline, "" if _NO_TITLE.fullmatch(title) else title)


def _open(data: bytes) -> pdfium.PdfDocument:
    start = data.find(b"%PDF-")  # PDFium, too, skips what is before, but not as much
    try:
        return pdfium.PdfDocument(data[max(start, 0) :])
    except pdfium.PdfiumError as error:
        encrypted = getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise DocumentError(_ENCRYPTED if encrypted else _DAMAGED) from error


def _form(document: pdfium.PdfDocument) -> Any:
    """PDFium's environment for the document's form; None where it has none."""
    if document.get_formtype() in (raw.FORMTYPE_NONE, raw.FORMTYPE_XFA_FULL):
        return None
    document.init_forms()
    return document.formenv.raw if document.formenv else None


def _outline(document: pdfium.PdfDocument) -> dict[int, dict[str, int]]:
    """The bookmarks of each page, from 0: the keys of their titles, with their levels from 1."""
    found: dict[int, dict[str, int]] = {}
    try:
        for place, bookmark in enumerate(document.get_toc(max_depth=_DEEPEST_BOOKMARK)):
            if place >= _MOST_BOOKMARKS:
                break
            destination = bookmark.get_dest()
            page = destination.get_index() if destination else None
            if page is not None and (key := heading_key(bookmark.get_title())):
                found.setdefault(page, {})[key] = bookmark.level + 1
    except pdfium.PdfiumError:  # a part of the bookmarks is better than none
        return found
    return found


def _content(
    read: list[PageLines], count: int, damaged: list[int], outline: dict[int, dict[str, int]], title: str
) -> Content:
    garbled = [number for number, page in enumerate(read, 1) if page.garbled]
    for page in read:
        if page.garbled:
            page.lines = []
    had_text = [bool(page.lines) for page in read]
    pages: list[Page] = [build_page(blocks) for blocks in layout(read, outline)]
    if not any(page.text for page in pages):
        raise DocumentError(_nothing(len(pages), damaged, garbled))
    empty = [n for n, text in enumerate(had_text, 1) if not text and n not in damaged and n not in garbled]
    warnings = [f"{numbered('page', damaged)} could not be read"] if damaged else []
    if garbled:
        verb = "uses" if len(garbled) == 1 else "use"
        warnings.append(f"{numbered('page', garbled)} {verb} a font that does not say which letters it shows; run OCR")
    if empty:
        warnings.append(f"{numbered('page', empty)} {'has' if len(empty) == 1 else 'have'} no text")
    if crowded := [number for number, page in enumerate(read, 1) if page.crowded]:
        warnings.append(f"only the first {MOST_FIELDS:,} fields and notes of {numbered('page', crowded)} were read")
    if len(read) < count:
        warnings.append(f"only the first {len(read):,} of {count:,} pages were read, more takes too long; split it")
    return Content(pages, warnings, title)


def _nothing(count: int, damaged: list[int], garbled: list[int]) -> str:
    """Why a document has no text."""
    if garbled:
        return "its fonts do not say which letters they show; run OCR first, or save it again"
    if damaged:
        return "its pages could not be read, it is probably damaged; save it again"
    place = "its only page" if count == 1 else f"its {count} pages"
    return f"no text found in {place}; it is probably a scan, run OCR first"
