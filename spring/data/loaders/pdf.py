"""Load PDF files: one page for each page."""

import io

from pypdf import PdfReader

from spring.data.cleaning import join_hyphenated
from spring.data.loaders.content import Content, check_pages, clean_page, numbered
from spring.data.loaders.failures import PARSER_ERRORS
from spring.errors import DocumentError


def load_pdf(data: bytes, most_pages: int) -> Content:
    """One page for each page of the PDF; damaged and empty ones are warned of."""
    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("it is encrypted; save it without a password")
    check_pages(len(reader.pages), most_pages)
    pages, damaged = [], []
    for number in range(1, len(reader.pages) + 1):
        try:
            text = reader.pages[number - 1].extract_text()
        except PARSER_ERRORS:  # one bad page should not lose the others
            text = ""
            damaged.append(number)
        pages.append(clean_page(join_hyphenated(text)))
    if damaged and not any(page.text for page in pages):
        raise DocumentError("its pages could not be read, it is probably damaged; save it again")
    empty = [number for number, page in enumerate(pages, 1) if not page.text and number not in damaged]
    if len(empty) == len(pages):
        place = "its only page" if len(pages) == 1 else f"its {len(pages)} pages"
        raise DocumentError(f"no text found in {place}; it is probably a scan, run OCR first")
    warnings = [f"{numbered('page', damaged)} could not be read"] if damaged else []
    if empty:
        warnings.append(f"{numbered('page', empty)} {'has' if len(empty) == 1 else 'have'} no text")
    return Content(pages, warnings)
