"""Check a zip archive, such as a Word file or a workbook, before any of it is unpacked for good.

`zipfile` never unpacks more of an entry than the size that the archive states for it, so the stated sizes can be
added up. Entries that share their bytes are how 40 KB state petabytes (https://www.bamsoftware.com/hacks/zipbomb/).
"""

import io
from itertools import pairwise
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from spring.errors import DocumentError

MOST_ENTRIES = 4_000
MOST_UNPACKED = 200 * 2**20  # bytes
HIGHEST_RATIO = 100  # of unpacked to packed; text reaches 10 to 20, empty tables some more
FREE_OF_RATIO = 10 * 2**20  # bytes: as small as this any ratio is harmless
_LOCAL_HEADER = 30  # bytes, without the name
_ENCRYPTED = 1
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be")  # what XML in a Word file may be in

_BOMB = "it unpacks to far more than a {what} holds; save it again{as_suffix}"
_TOO_LARGE = "it unpacks to {size:,.0f} MB; save it{as_suffix} without its pictures"
_NO_ZIP = "it could not be read, its zip archive is put together wrongly; save it again{as_suffix}"
_NO_DOCUMENT = "it could not be read, it is a zip archive but no {what}; save it{as_suffix}, or unpack it"
_DTD = "it holds a document type definition, which {program} never writes; save it again{as_suffix}"
# By a part that only they have: all but EPUB and OpenDocument, which say what they are.
_MAIN_PARTS = {"word/": ".docx", "xl/": ".xlsx", "ppt/": ".pptx"}
_MIME_TYPES = {
    b"application/epub+zip": ".epub",
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.text-template": ".odt",
}


def archive_type(data: bytes) -> str:
    """`.docx`, `.xlsx`, `.pptx`, `.epub` or `.odt`, by the names in a zip archive; "" for none of them.

    Raises what `zipfile` raises on damaged archives.
    """
    with ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
            return _MIME_TYPES.get(archive.read("mimetype").strip(), "")
        if "[Content_Types].xml" not in names:
            return ".epub" if "META-INF/container.xml" in names else ""
        return next((kind for part, kind in _MAIN_PARTS.items() if any(name.startswith(part) for name in names)), "")


def check_archive(data: bytes) -> None:
    """Refuse what is no Word file, or one that was made to do harm.

    Raises DocumentError, and what `zipfile` raises on damaged archives.
    """
    if archive_type(data) != ".docx":
        raise DocumentError(_NO_DOCUMENT.format(what="Word file", as_suffix=" as .docx"))
    check_zip(data, "Word file", ".docx", "Word")


def check_zip(data: bytes, what: str, suffix: str = "", program: str = "") -> None:
    """Refuse an archive that was made to do harm.

    Args:
        data: the archive.
        what: what it should be, for the messages.
        suffix: as what to save it again.
        program: the one that writes such files, none of which has a document type definition; "" if they may.

    Raises DocumentError, and what `zipfile` raises on damaged archives.

    """
    words = {"what": what, "as_suffix": f" as {suffix}" if suffix else "", "program": program}
    with ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries}
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > MOST_ENTRIES or unpacked > max(FREE_OF_RATIO, HIGHEST_RATIO * len(data)):
            raise DocumentError(_BOMB.format(**words))
        if unpacked > MOST_UNPACKED:
            raise DocumentError(_TOO_LARGE.format(size=unpacked / 2**20, **words))
        if len(names) < len(entries) or not all(map(_plain, entries)) or _overlap(entries, archive.start_dir):
            raise DocumentError(_NO_ZIP.format(**words))
        for entry in entries if program else ():
            if entry.filename.lower().endswith((".xml", ".rels")) and has_doctype(archive.read(entry)):
                raise DocumentError(_DTD.format(**words))


def _plain(entry: ZipInfo) -> bool:
    return entry.compress_type in (ZIP_STORED, ZIP_DEFLATED) and not entry.flag_bits & _ENCRYPTED


def _overlap(entries: list[ZipInfo], end: int) -> bool:
    """Whether an entry reaches into the one behind it, or into the directory at the end."""
    spans = sorted(
        (entry.header_offset, _LOCAL_HEADER + len(entry.filename) + entry.compress_size) for entry in entries
    )
    return any(start + length > following for (start, length), (following, _) in pairwise([*spans, (end, 0)]))


def has_doctype(xml: bytes) -> bool:
    """Whether a part of an archive has a document type definition or defines an entity."""
    return any(mark.encode(encoding) in xml for mark in ("<!DOCTYPE", "<!ENTITY") for encoding in _ENCODINGS)
