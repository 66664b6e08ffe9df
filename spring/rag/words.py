"""Find the words of a text in any script, and give each one spelling.

A word is a run of letters and digits, a number with its separators, initials (`U.S.A.`, `J. R. R.`), or a run of a
script without spaces; `spring.rag.terms` cuts it further.
"""

import re
import unicodedata

from spring.data.cleaning import CJK, HAN_HIRAGANA, KATAKANA, SOUTHEAST_ASIAN

LONGEST_KEPT = 40  # characters of a word whose parts are kept; a run of Chinese may be a sentence, which comes once
MOST_KEPT = 2**17  # pieces in memory: some 25 MB

_ZERO_WIDTH = "\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
# `\w` leaves out the combining marks, which are the vowels of Hindi, Thai and others.
_MARKS = "".join(chr(c) for c in range(0x300, 0x1F000) if unicodedata.category(chr(c)).startswith("M"))
_THIN_SPACES = "\u00a0\u2009\u202f"
_LETTER = rf"[^\W_{CJK}{SOUTHEAST_ASIAN}]"
_POSSESSIVE = r"(?:['’][sS](?![^\W_]))?"
_INITIAL = "[A-ZÀ-ÞΑ-ΩА-Я]"
WORD = re.compile(  # what is most frequent comes first
    rf"[A-Za-z][0-9A-Za-z]++(?![^\0-\x7f]){_POSSESSIVE}"
    rf"|\d{{1,3}}(?:[,.'’{_THIN_SPACES}]\d{{3}})+(?!\d)|\d{{1,3}}(?:,\d\d)+,\d{{3}}(?!\d)"  # 1,900; 1.900.000; 1,00,000
    rf"|(?<![^\W_])[^\W\d_{CJK}](?:\.[^\W\d_{CJK}])+(?![^\W_])\.?"  # U.S.A.
    rf"|(?<![^\W_]){_INITIAL}\.(?: {_INITIAL}\.)+"  # J. R. R. Tolkien
    rf"|[0-9A-Za-z]++(?![^\0-\x7f]){_POSSESSIVE}"
    rf"|{_LETTER}+(?:[{_MARKS}{_ZERO_WIDTH}]+{_LETTER}*)*{_POSSESSIVE}"
    rf"|[{KATAKANA}{HAN_HIRAGANA}]+|[{SOUTHEAST_ASIAN}]+"
)
SPACED_NUMBER = re.compile(r"\d(?<![\d.,]\d)\d{0,2}(?: \d{3})+(?![.,]?\d)")  # 1 900 000; or a list of numbers
# All of the two that hold a space have one. It begins with the space, which is found fast.
_OVER_A_SPACE = re.compile(rf" (?:(?<=\d )\d{{3}}|(?<={_INITIAL}\. ){_INITIAL}\.)")
CJK_RUN = re.compile(f"[{KATAKANA}{HAN_HIRAGANA}]+")
SYLLABLES = re.compile(f"[{SOUTHEAST_ASIAN}]+")
SYLLABLE = re.compile(f"[^{_MARKS}][{_MARKS}]*|[{_MARKS}]+")
ENDS_IN_POSSESSIVE = re.compile(r"['’][sS]$")
NUMBER_MARKS = re.compile(rf"[,.'’{_THIN_SPACES} ]")

_ACCENTS = re.compile("[\u0300-\u036f]+")  # of Latin, Greek and Cyrillic letters; other scripts' marks are elsewhere
_DROPPED = re.compile(f"[{_ZERO_WIDTH}\u0640]+")  # U+0640: what stretches an Arabic word
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe"})


def lower(word: str, turkish: bool = False) -> str:
    """Lower case and compatibility forms (`ﬁ`, full width) of a word in the letters that stemmers know."""
    if word.isascii() and not turkish:
        return word.lower()
    word = _DROPPED.sub("", unicodedata.normalize("NFKC", word))
    if turkish:
        word = word.replace("I", "ı").replace("İ", "i")
    return unicodedata.normalize("NFC", word.lower().replace("i\u0307", "i").replace("ё", "е"))


def fold(word: str) -> str:
    """One spelling for the accented forms of a word and for the digits of all scripts."""
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", _DROPPED.sub("", word)).casefold())
    folded = unicodedata.normalize("NFC", _ACCENTS.sub("", folded)).translate(_LETTERS)
    return "".join(str(unicodedata.decimal(c, c)) for c in folded) or word


def is_plain(text: str) -> bool:
    """Whether no number and no initials of a text go on over a space: then each piece between two has its own words."""
    return not _OVER_A_SPACE.search(text)


def words_of(text: str) -> list[str]:
    """What a text is cut into before any of it is stemmed: words, numbers, initials, runs of Chinese and Thai."""
    return WORD.findall(text)


def spaced_numbers(text: str) -> list[str]:
    """The numbers of a text that are written with spaces, `1 900 000`, without these; `words_of` has their parts."""
    return [number.replace(" ", "") for number in SPACED_NUMBER.findall(text)]
