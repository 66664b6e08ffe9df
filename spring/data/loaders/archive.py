"""A Word file is a zip of XML files: what is checked of it before any of that is unpacked for good.

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

_BOMB = "it unpacks to far more than a Word file holds; save it again as .docx"
_NO_ZIP = "it could not be read, its zip archive is put together wrongly; save it again as .docx"
_NO_WORD = "it could not be read, it is a zip archive but no Word file; save it as .docx, or unpack it"
_DTD = "it holds a document type definition, which Word never writes; save it again as .docx"


def check_archive(data: bytes) -> None:
    """Refuse what is no Word file, or one that was made to do harm.

    Raises DocumentError, and what `zipfile` raises on damaged archives.
    """
    with ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = {entry.filename for entry in entries}
        if "[Content_Types].xml" not in names or not any(name.startswith("word/") for name in names):
            raise DocumentError(_NO_WORD)
        unpacked = sum(entry.file_size for entry in entries)
        if len(entries) > MOST_ENTRIES or unpacked > max(FREE_OF_RATIO, HIGHEST_RATIO * len(data)):
            raise DocumentError(_BOMB)
        if unpacked > MOST_UNPACKED:
            raise DocumentError(f"it unpacks to {unpacked / 2**20:,.0f} MB; save it as .docx without its pictures")
        if len(names) < len(entries) or not all(map(_plain, entries)) or _overlap(entries, archive.start_dir):
            raise DocumentError(_NO_ZIP)
        for entry in entries:
            if entry.filename.lower().endswith((".xml", ".rels")) and _has_doctype(archive.read(entry)):
                raise DocumentError(_DTD)


def _plain(entry: ZipInfo) -> bool:
    return entry.compress_type in (ZIP_STORED, ZIP_DEFLATED) and not entry.flag_bits & _ENCRYPTED


def _overlap(entries: list[ZipInfo], end: int) -> bool:
    """Whether an entry reaches into the one behind it, or into the directory at the end."""
    spans = sorted(
        (entry.header_offset, _LOCAL_HEADER + len(entry.filename) + entry.compress_size) for entry in entries
    )
    return any(start + length > following for (start, length), (following, _) in pairwise([*spans, (end, 0)]))


def _has_doctype(xml: bytes) -> bool:
    return any(mark.encode(encoding) in xml for mark in ("<!DOCTYPE", "<!ENTITY") for encoding in _ENCODINGS)
