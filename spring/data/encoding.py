"""From the bytes of a text file to its text, whatever encoding they are in.

UTF-8 and UTF-16 with a byte order mark are certain. A few bad bytes in what is otherwise UTF-8 stay what they
are, bad; only of what cannot be UTF-8 the encoding is guessed, among those that old files are in. Either way the
user is warned.
"""

import codecs
import re

from charset_normalizer import from_bytes

from spring.errors import DocumentError

_Decoded = tuple[str, list[str]]  # the text and the warnings
_NO_TEXT = "it does not look like text; save it as UTF-8 text"
# What old files are in. Among all that there are, Mac OS's Icelandic is often taken for German.
_OLD_ENCODINGS = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2", "koi8_r"]
_OLD_ENCODINGS += ["cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
_BINARY_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # one byte that is not UTF-8, as Python's "surrogateescape" writes it


def decode(data: bytes) -> _Decoded:
    """The text of a file, and the warnings: UTF-8, UTF-16 with a byte order mark, else what fits best.

    Raises DocumentError for what is not text.
    """
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text, warnings = data.decode(encoding), list[str]()
    except UnicodeDecodeError:
        text, warnings = _mend(data) or _guess(data)
    if "\0" in text or len(_BINARY_CHARACTERS.findall(text)) > len(text) / 100:
        raise DocumentError(_NO_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n"), warnings


def _mend(data: bytes) -> _Decoded | None:
    """UTF-8 with a few bad bytes: fewer than one in 1,000 characters, and others that only UTF-8 explains."""
    text, bad = _BAD_BYTE.subn("\ufffd", data.decode("utf-8", "surrogateescape"))
    if bad * 1000 >= len(text) or not re.search("[^\0-\x7f\ufffd]", text):
        return None
    return text.removeprefix("\ufeff"), ["1 byte was not UTF-8" if bad == 1 else f"{bad} bytes were not UTF-8"]


def _guess(data: bytes) -> _Decoded:
    matches = from_bytes(data, cp_isolation=_OLD_ENCODINGS)
    best = matches.best()
    if best is None:
        raise DocumentError(_NO_TEXT)
    # Of equally clean readings the first by name is called best: "Ł5" for "£5". Western ones are likelier.
    western = (match for match in matches if "cp1252" in match.could_be_from_charset)
    best = next((match for match in western if match.chaos <= best.chaos), best)
    encoding = best.encoding.replace("cp12", "windows-12")
    return str(best), [f"it is not UTF-8 and was read as {encoding}"]
