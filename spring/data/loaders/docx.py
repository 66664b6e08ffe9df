"""Load Word files: one page of their text, with the title that they have."""

import re

from spring.data.cleaning import one_line
from spring.data.loaders.archive import check_archive
from spring.data.loaders.content import Content, build_page, clean_title
from spring.data.loaders.docx_body import BodyReader
from spring.data.loaders.docx_package import WordPackage, w
from spring.errors import DocumentError

_ONLY_PICTURES = "it holds pictures and no text, probably a scan; run text recognition (OCR) first"
_EMBEDDED = "its text is another file within it; open it in Word and save it again as .docx"
_PICTURES = (
    "{http://schemas.openxmlformats.org/drawingml/2006/main}blip",
    "{urn:schemas-microsoft-com:vml}imagedata",
)
_DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"
# What programs write into the properties by themselves.
_NO_TITLE = re.compile(
    r"(?:untitled|unbenannt|sans titre|title|titel|word document|microsoft word\b.*|(?:document|dokument|doc)\s*\d*"
    r"|.*\.(?:docx?|dotx?|docm|rtf|odt|pdf|txt|tmp|wpd|html?))?",
    re.IGNORECASE,
)


def load_docx(data: bytes) -> Content:
    """One page of the whole file.

    Raises DocumentError: it is no Word file, was made to do harm, or has no text.
    """
    check_archive(data)
    package = WordPackage(data)
    reader = BodyReader(package)
    page = build_page(reader.read())
    if not re.search(r"[^\W_]", page.text):
        if next(package.document.iter(w("altChunk")), None) is not None:
            raise DocumentError(_EMBEDDED)
        if next(package.document.iter(*_PICTURES), None) is not None:
            raise DocumentError(_ONLY_PICTURES)
    return Content([page], [], clean_title(_title(package, reader)))


def _title(package: WordPackage, reader: BodyReader) -> str:
    """The lines in the style Title, else the title in the properties, else a single heading that comes first.

    Where lines in the style Title stand apart from each other, these are chapters, and the properties go before.
    """
    first = [line for place, line in enumerate(reader.titles) if line.number == reader.titles[0].number + place]
    styled = one_line(" ".join(line.text for line in first))
    core = package.part("core-properties")
    named = ("" if core is None else core.findtext(_DC_TITLE) or "").strip()
    if not named or _NO_TITLE.fullmatch(named):
        chapters = reader.headings[:2]
        named = chapters[0].text if len(chapters) == 1 and chapters[0].number == 1 else ""
    return (styled if len(first) == len(reader.titles) else "") or named or styled
