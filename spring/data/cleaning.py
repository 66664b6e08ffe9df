"""Clean text: what every reader makes of the text in a file, and the scripts that need care.

One line is one paragraph, list item or table row, with single spaces and no control characters. The ranges of the
scripts without spaces stand here because cleaning, `spring.data.chunking` and `spring.rag.bm25` must agree on them.
"""

import re
import unicodedata
from collections.abc import Iterable

# Scripts written without spaces, as the inside of a regular expression's [...].
KATAKANA = "\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff\uff66-\uff9f"
HAN_HIRAGANA = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u309f\u3105-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
SOUTHEAST_ASIAN = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e50-\u0e59\u0e81-\u0edf"  # Thai, Lao
    "\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17dc\u17dd\u17e0-\u17e9"  # Burmese, Khmer
)
CJK = KATAKANA + HAN_HIRAGANA
# Never apart from the character after it, and before it.
OPENING = "「『（《〈【〔"
CLOSING = "々ー、。，．！？：；…」』）》〉】〕”’!?.,;:)"

# Control characters go, and so do soft hyphens and byte order marks; the other line ends become newlines.
_CHARACTERS: dict[int, str | None] = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0xAD, 0xFEFF])
_CHARACTERS |= {0x09: " ", 0x0A: "\n", 0x0B: "\n", 0x0C: "\n\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n\n"}

_MARKER = r"\||(?:[-*+•‣◦▪–—>]|#{1,6}|\(?(?:\d{1,3}|[A-Za-z])[.)])\s"
_WRAP = re.compile(rf"(?<!\n)\n(?!\n|{_MARKER})")
_CJK_WRAP = re.compile(rf"(?<=[{CJK}、，；：])\n(?=[{CJK}{OPENING}])")
_HYPHENATION = re.compile(r"(\w)([-‐\u00ad])[^\S\n]*\n[^\S\n]*(\w)")


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair: JSON and the shell can hold one, tokenizers cannot."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_text(text: str) -> str:
    """Undo hard wrapping: one line for each paragraph, list item, table row and heading, single spaces.

    A blank line ends a paragraph, a single newline does not, save before a mark of lists, tables or headings.
    Unicode NFC. Control characters are dropped, unpaired surrogates become U+FFFD (they cannot be sent on).
    """
    text = without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", text).translate(_CHARACTERS)
    text = re.sub(r" ?\n ?", "\n", re.sub(r"[^\S\n]+", " ", text))
    text = _WRAP.sub(" ", _CJK_WRAP.sub("", text))
    return re.sub(r"\n+", "\n", text).strip()


def one_line(text: str) -> str:
    """The text without line breaks, with single spaces."""
    return " ".join(text.split())


def table_row(cells: Iterable[str]) -> str:
    """`Car No. 2 | 1,900`: the cells that are not empty."""
    return " | ".join(filter(None, map(one_line, cells)))


def join_hyphenated(text: str) -> str:
    """`exam-` at the end of a line and `ple` on the next make `example`; `X-` and `Ray` stay as they are."""

    def join(match: re.Match[str]) -> str:
        before, hyphen, after = match.groups()
        return before + after if hyphen == "\u00ad" or (before.islower() and after.islower()) else match[0]

    return _HYPHENATION.sub(join, text)
