"""Load EPUB books: one page for each chapter, read as HTML, in the order of the book's spine."""

import io
import posixpath
from urllib.parse import unquote
from zipfile import ZipFile

from spring.data.encoding import decode
from spring.data.loaders.archive import check_zip
from spring.data.loaders.content import Content, build_page, check_pages, clean_title, numbered
from spring.data.loaders.html_blocks import html_blocks
from spring.data.loaders.html_tree import parse, prune
from spring.data.loaders.safe_xml import parse_xml
from spring.data.types import Page
from spring.errors import DocumentError

_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_PROTECTED = "it is protected against copying, so its text cannot be read; give a copy without protection"


def load_epub(data: bytes, most_pages: int) -> Content:
    """One page for each chapter that has text."""
    check_zip(data, "book", ".epub")
    with ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        rootfile = parse_xml(archive.read(_CONTAINER), doctype=True).find(".//{*}rootfile")
        package_path = rootfile.get("full-path")
        package = parse_xml(archive.read(package_path), doctype=True)
        chapters = _chapters(package, posixpath.dirname(package_path))
        check_pages(len(chapters), most_pages)
        if _ENCRYPTION in names and not _encrypted(archive.read(_ENCRYPTION)).isdisjoint(chapters):
            raise DocumentError(_PROTECTED)
        missing = [number for number, chapter in enumerate(chapters, 1) if chapter not in names]
        pages = [_chapter_page(archive.read(chapter)) for chapter in chapters if chapter in names]
    warnings = [f"{numbered('chapter', missing)} could not be found"] if missing else []
    title = package.findtext(".//{http://purl.org/dc/elements/1.1/}title") or ""
    return Content([page for page in pages if page.text] or [Page("")], warnings, clean_title(title))


def _encrypted(data: bytes) -> set[str]:
    """The paths of what is encrypted in a book."""
    references = parse_xml(data, doctype=True).iter("{*}CipherReference")
    return {posixpath.normpath(unquote(reference.get("URI") or "")) for reference in references}


def _chapters(package: object, folder: str) -> list[str]:
    """The paths of the chapters in the order of reading, without the table of contents."""
    items = {item.get("id"): item for item in package.iter("{*}item")}  # type: ignore[attr-defined]
    found = (items.get(reference.get("idref")) for reference in package.iter("{*}itemref"))  # type: ignore[attr-defined]
    paths = [
        posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or "")))
        for item in found
        if item is not None and "nav" not in (item.get("properties") or "").split()
    ]
    return list(dict.fromkeys(paths))


def _chapter_page(data: bytes) -> Page:
    text, _ = decode(data, markup=True)
    root = parse(text)
    prune(root)
    return build_page(found.block for found in html_blocks(root))
