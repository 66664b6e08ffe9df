"""What a file is, by its bytes; its name decides only between the kinds of text."""

import re
from itertools import chain

from spring.data.loaders.archive import archive_type
from spring.errors import DocumentError

# Zip archives, with other endings of the same kind: templates, shows, and files with macros, which are never run.
ARCHIVES = {
    ".docx": (".docx", ".docm", ".dotx", ".dotm"),
    ".xlsx": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    ".pptx": (".pptx", ".pptm", ".potx", ".ppsx"),
    ".epub": (".epub",),
    ".odt": (".odt", ".ott"),
}
BINARY_TYPES = (".pdf", *chain.from_iterable(ARCHIVES.values()))
_PDF, _ZIP = b"%PDF-", b"PK\3\4"
_SEARCH = 1024  # bytes; readers of PDF skip as much before it begins

_OFFICE, _RTF = b"\xd0\xcf\x11\xe0", b"{\\rtf"
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")  # Windows, Linux, macOS
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?>.*?-->)\s*)*+<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL
)
_HTML_SEARCH = 4096  # characters


def kind_of(data: bytes, suffix: str) -> str:
    """`.pdf`, one of ARCHIVES, `.rtf`, or "" for text, by the first bytes of a file.

    Raises DocumentError: it is empty, of a kind that is not read, or text under the name of another kind.
    """
    if not data:
        raise DocumentError("it is empty; save it again")
    if data.startswith(_PDF) or (suffix == ".pdf" and _PDF in data[:_SEARCH]):
        return ".pdf"
    if data.startswith(_ZIP):
        return archive_type(data) or ".docx"
    if data.startswith(_OFFICE):
        raise DocumentError(
            "it is an old or an encrypted Office file; save it as .docx, .xlsx or .pptx without a password"
        )
    if data.startswith(_RTF):
        return ".rtf"
    if data.startswith(_PROGRAMS) and b"\0" in data[:_SEARCH]:
        raise DocumentError("it is a program, no document; check that it is the right file")
    if suffix in BINARY_TYPES:  # often a page that says why there was nothing to download
        raise DocumentError(f"it is not what its name says, a {suffix} file; save it again in that format")
    return ""


def looks_like_html(text: str) -> bool:
    """Whether a text begins as a page does."""
    return _HTML.match(text[:_HTML_SEARCH]) is not None
