"""Tell old encodings with one byte a character apart by common words, from the lists of justext (BSD).

`für`, `że` and `için` are words; what other encodings make of their bytes hardly ever is. Of encodings in which the
same words are found, the one fits best whose letters are all of that language: `ğ`, not `ð`, in Turkish.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from spring.data.encoding_score import strangeness

# The likelier ones first: most of them have most bytes in common with another one.
_ENCODINGS = """
    cp1252 cp1250 cp1251 cp1254 cp1253 cp1255 cp1256 cp1257 iso8859_2 iso8859_7 iso8859_5 koi8_r koi8_u iso8859_6
    iso8859_8 iso8859_13 mac_roman mac_cyrillic cp850 cp437 cp852 cp866 cp857 cp862 cp737 cp1125
"""
_LANGUAGES = """
    Turkish Polish Czech Slovak Hungarian Romanian Croatian Slovenian Hebrew Ukrainian Russian Bulgarian Serbian
    Macedonian Belarusian Greek Arabic German French Spanish Portuguese Italian Swedish Danish Finnish Icelandic Dutch
    Estonian Latvian Lithuanian Catalan Norwegian_Bokmal Albanian
"""
_WORD = re.compile(r"(?:[^\W\d_]|[\u0591-\u05c7\u064b-\u0652'’])+")  # with the points of Hebrew and Arabic
_LEAST, _LEAST_SHARE = 3, 0.05  # letters but the first of each word that are found, and of all, lest it be chance
_SAMPLE = 16_384  # bytes that are looked at, of lines that are not ASCII
_RARE = 3  # words of a language that have a letter which is of its alphabet


class _Found(NamedTuple):
    encoding: str
    letters: int  # of common words, but the first of each
    foreign: int  # letters that the language of most of them does not have
    text: str


def by_words(data: bytes) -> tuple[str, str] | None:
    """The text of bytes that are not ASCII and its encoding, if common words are found in it; else None."""
    sample = _sample(data)
    found = sorted(_readings(sample), key=lambda found: -found.letters)
    ranked = [(found.letters * max(0.0, 1 - 2 * strangeness(found.text)), -found.foreign, found) for found in found[:8]]
    for letters, _, best in sorted(ranked, key=lambda rank: rank[:2], reverse=True):
        if letters >= _LEAST:
            try:
                return data.decode(best.encoding), best.encoding
            except UnicodeDecodeError:  # it is the sample's only
                continue
    return None


def _sample(data: bytes) -> bytes:
    """The first lines that are not ASCII."""
    sample, size = list[bytes](), 0
    for line in data.splitlines():
        if not line.isascii():
            sample.append(line[: _SAMPLE - size])
            size += len(sample[-1])
            if size >= _SAMPLE:
                break
    return b"\n".join(sample)


def _readings(sample: bytes) -> Iterator[_Found]:
    """What each encoding finds."""
    vocabulary, alphabets = _vocabulary()
    for encoding in _ENCODINGS.split():
        try:
            text = sample.decode(encoding)
        except UnicodeDecodeError:
            continue
        words = [word for word in _WORD.findall(text.lower()) if not word.isascii()]
        known = [word for word in words if word in vocabulary]
        letters = sum(len(word) - 1 for word in known)
        if letters and letters >= _LEAST_SHARE * sum(map(len, words)):
            languages = Counter(language for word in known for language in vocabulary[word])
            alphabet = alphabets[languages.most_common(1)[0][0]]
            foreign = sum(not letter.isascii() and letter not in alphabet for word in words for letter in word)
            yield _Found(encoding, letters, foreign, text)


@cache
def _vocabulary() -> tuple[dict[str, list[str]], dict[str, frozenset[str]]]:
    """The languages of each common word that is not ASCII, and the letters of each language."""
    languages: dict[str, list[str]] = {}
    alphabets: dict[str, frozenset[str]] = {}
    for language in _LANGUAGES.split():
        words = set(_words(language))
        for word in words:
            languages.setdefault(word, []).append(language)
        often = Counter(letter for word in words for letter in set(word))
        alphabets[language] = frozenset(letter for letter, times in often.items() if times >= _RARE)
    return languages, alphabets


def _words(language: str) -> Iterable[str]:
    text = (files("justext") / "stoplists" / f"{language}.txt").read_text(encoding="utf-8")
    return (word for word in _WORD.findall(text.lower()) if len(word) > 1 and not word.isascii())
