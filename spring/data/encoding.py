"""Decode the bytes of a text file, whatever encoding they are in.

In this order: a byte order mark, UTF-16 and UTF-32 by the place of their zero bytes, ISO-2022 by its escape sequences,
UTF-8, the encoding that a page or XML file declares, UTF-8 with some lines or bytes of another encoding, and at last
the older encoding that fits best. The user is warned of every guess and every bad byte.
"""

import codecs
import re
import unicodedata
from collections import Counter

from charset_normalizer import from_bytes

from spring.data.encoding_score import strangeness
from spring.data.encoding_words import by_words
from spring.data.loaders.content import numbered
from spring.errors import DocumentError

_Decoded = tuple[str, list[str]]  # the text and the warnings
_NO_TEXT = "it does not look like text; save it as UTF-8 text"
_MARKS = {  # UTF-32's before UTF-16's, which it begins with
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ISO_2022 = {b"\x1b$)C": "iso2022_kr", b"\x1b$": "iso2022_jp_2", b"\x1b(J": "iso2022_jp_2", b"\x1b(I": "iso2022_jp_ext"}
# What old files are in. Among all that there are, Mac OS's Icelandic is often taken for German.
_OLD_ENCODINGS = ["cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2", "koi8_r"]
_OLD_ENCODINGS += ["cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
# Taken only where these are strange: in most bytes they see letters, too.
_OLDER_ENCODINGS = ["mac_roman", "cp850", "cp437", "cp852", "cp866", "iso8859_5", "koi8_u", "mac_cyrillic", "iso8859_7"]
_STRANGE = 0.15  # of 1: what an old encoding's text may be, and by how much an older one must be less strange
_MOST_STRANGE = 0.3
_BINARY_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1a]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # one byte that is not UTF-8, as Python's "surrogateescape" writes it
_LOST = re.compile("[\udcc2-\udcf4][\udc80-\udcbf]+|[\udcfe\udcff]+")  # cut off characters, and no letters
_GOOD_CHARACTER = re.compile("[^\0-\x7f\udc80-\udcff]")
_ENOUGH_TO_GUESS = 8  # bytes
_DECLARED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})["']""")
_DECLARED_SEARCH = 8192  # bytes
# Of what may be declared, the superset that browsers read (https://encoding.spec.whatwg.org/#names-and-labels).
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
}
_SUPERSETS |= {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"}
_DECLARABLE = re.compile(
    r"utf-8|utf-16.*|iso8859-\d+|cp\d{3,4}|koi8-[rut]|mac-\w+|gb18030|big5hkscs|euc_\w+|iso2022_\w+"
)


def decode(data: bytes, markup: bool = False) -> _Decoded:
    """The text of a file, with newlines as line ends, and the warnings.

    markup: whether it may declare its encoding, as HTML and XML do.

    Raises:
        DocumentError: it is not text.

    """
    text, warnings = _decoded(data, markup)
    if "\0" in text or len(_BINARY_CHARACTERS.findall(text)) > len(text) / 100:
        raise DocumentError(_NO_TEXT)
    return text.replace("\r\n", "\n").replace("\r", "\n"), warnings


def decode_as(data: bytes, name: str) -> _Decoded | None:
    """The text in the encoding of this name, as e-mail and HTML name it; None if that is none, or does not fit."""
    encoding = _known(name)
    if encoding is None:
        return None
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    bad = text.count("\ufffd")
    return (text, [f"{_count(bad)} not {name}"]) if bad * 100 < len(text) else None


def _decoded(data: bytes, markup: bool) -> _Decoded:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark) and (text := _strict(data, encoding)) is not None:
            return text, []
    if b"\0" in data:
        if (found := _wide(data)) is None:
            raise DocumentError(_NO_TEXT)
        return found
    for escape, encoding in _ISO_2022.items():
        if escape in data and data.isascii() and (text := _strict(data, encoding)) is not None:
            return text, []
    if (text := _strict(data, "utf-8")) is not None:
        return text, []
    if markup and (found := _declared(data)) is not None:
        return found
    return _mend(data) or _wide(data) or _guess(data)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeError:
        return None


def _known(name: str) -> str | None:
    """Python's name of an encoding that is one of text alone: not of those that run long or hide characters."""
    try:
        found = codecs.lookup(name.lower().removeprefix("x-").replace("windows-31j", "cp932")).name
    except LookupError:
        return None
    found = _SUPERSETS.get(found, found)
    return found if _DECLARABLE.fullmatch(found) else None


def _declared(data: bytes) -> _Decoded | None:
    head = data[:_DECLARED_SEARCH]
    match = _XML_DECLARED.search(head) or _DECLARED.search(head)
    name = match[1].decode() if match else ""
    if name.lower().startswith("utf-16"):  # then the declaration could not be read
        return None
    return decode_as(data, name) if name.lower() not in ("", "utf-8", "utf8") else None


def _wide(data: bytes) -> _Decoded | None:
    """UTF-16 or UTF-32 without a byte order mark, if it is one of them."""
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        text = _strict(data, encoding)
        if text and "\0" not in text and _is_plausible(text, data):
            return text.removeprefix("\ufeff"), [f"it has no byte order mark and was read as {encoding[:6].upper()}"]
    return None


def _is_plausible(text: str, data: bytes) -> bool:
    ordinary = sum(letter.isprintable() or letter in "\t\n\r\f\ufeff" for letter in text)
    if ordinary < 0.97 * len(text):
        return False
    if sum(map(str.isascii, text)) > 0.5 * len(text):
        return True
    # Bytes that are ASCII with some zeros between them make rare ideographs.
    plain = sum(0x20 <= byte < 0x7F for byte in data) > 0.8 * (len(data) - data.count(0))
    scripts = _scripts(text)
    spaced = re.search(r"[ \n\u3001\u3002\uff0c]", text) is not None
    return spaced and len(scripts) < 4 and (not plain or "HIRAGANA" in scripts)


def _scripts(text: str) -> set[str]:
    """The scripts that more than one in 50 of the letters are of, by their names."""
    letters = [letter for letter in text[:5_000] if letter.isalpha()]
    counts = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in letters)
    return {script for script, number in counts.items() if number * 50 > len(letters)}


def _mend(data: bytes) -> _Decoded | None:
    """UTF-8 with some lines or bytes that are not; None if UTF-8 explains less of it than another encoding would."""
    lines = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").split("\n")
    bad = [number for number, line in enumerate(lines) if _BAD_BYTE.search(line)]
    good_lines = sum(not line.isascii() for line in lines) - len(bad)
    bad_bytes = sum(len(_BAD_BYTE.findall(lines[number])) for number in bad)
    good = sum(len(_GOOD_CHARACTER.findall(line)) for line in lines if not line.isascii())
    if good == 0 or (good < bad_bytes and good_lines < len(bad)):
        return None
    warnings = []
    foreign = [number for number in bad if not _GOOD_CHARACTER.search(lines[number])]
    if sum(len(_BAD_BYTE.findall(lines[number])) for number in foreign) >= _ENOUGH_TO_GUESS:
        text, _ = _guess("\n".join(lines[number] for number in foreign).encode("utf-8", "surrogateescape"))
        for number, line in zip(foreign, text.split("\n"), strict=True):
            lines[number] = line
        were = "was" if len(foreign) == 1 else "were"
        warnings.append(f"{numbered('line', [number + 1 for number in foreign])} {were} not UTF-8 and read by a guess")
    text = "\n".join(lines)
    lost = sum(len(match[0]) for match in _LOST.finditer(text))
    mended = len(_BAD_BYTE.findall(text)) - lost
    text = _BAD_BYTE.sub(_as_windows_1252, _LOST.sub(lambda match: "\ufffd" * len(match[0]), text))
    if lost:
        warnings.append(f"{_count(lost)} not UTF-8")
    if mended:
        warnings.append(f"{_count(mended)} not UTF-8 and read as windows-1252")
    return text, warnings


def _as_windows_1252(match: re.Match[str]) -> str:
    return match[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _count(number: int) -> str:
    return "1 byte was" if number == 1 else f"{number} bytes were"


def _guess(data: bytes) -> _Decoded:
    """What fits best of the old encodings: by common words, else the older ones only where that is strange."""
    if found := by_words(data):
        return found[0], [_guessed(found[1])]
    text, encoding = _likeliest(data)
    least = strangeness(text) - _STRANGE if text else _MOST_STRANGE
    if least > 0:
        for older in _OLDER_ENCODINGS:
            other = _strict(data, older)
            if other is not None and (strange := strangeness(other)) < least:
                text, encoding, least = other, older, strange
    if not text:
        raise DocumentError(_NO_TEXT)
    return text, [_guessed(encoding)]


def _guessed(encoding: str) -> str:
    return f"it is not UTF-8 and was read as {re.sub('^cp12', 'windows-12', encoding)}, which is a guess"


def _likeliest(data: bytes) -> tuple[str, str]:
    """The text and its encoding as charset_normalizer sees it; both empty if it sees none."""
    matches = from_bytes(data, cp_isolation=_OLD_ENCODINGS)
    best = matches.best()
    if best is None:
        return "", ""
    # Of equally clean readings the first by name is called best: "Ł5" for "£5". Western ones are likelier.
    western = (match for match in matches if "cp1252" in match.could_be_from_charset)
    best = next((match for match in western if match.chaos <= best.chaos), best)
    return str(best), best.encoding
