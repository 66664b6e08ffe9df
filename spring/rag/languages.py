"""Tell the language of a text from its stop words and letters, and the usual language of a script."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import Stemmer

from spring.rag.stop_words import STOP_WORDS
from spring.rag.words import words_of

DEFAULT_LANGUAGE = "english"

_SCRIPTS = (  # last code point of a block, the language that words in it are stemmed in
    (0x36F, DEFAULT_LANGUAGE),
    (0x3FF, "greek"),
    (0x52F, "russian"),
    (0x58F, "armenian"),
    (0x5FF, "hebrew"),
    (0x8FF, "arabic"),
    (0x97F, "hindi"),
    (0xB7F, ""),
    (0xBFF, "tamil"),
    (0x10FF, ""),
    (0x11FF, "korean"),
    (0x1DFF, ""),
    (0x1EFF, DEFAULT_LANGUAGE),
    (0x1FFF, "greek"),
    (0xABFF, ""),
    (0xD7FF, "korean"),
)
STEMMED = frozenset(Stemmer.algorithms())
# Letters that name a language as much as a stop word does.
_TELLING = {
    "german": "ßäöü", "french": "çêèœùë", "spanish": "ñ¿¡", "portuguese": "ãõâç", "italian": "ìòù", "swedish": "åäö",
    "danish": "æøå", "norwegian": "æøå", "finnish": "äö", "polish": "ąęłśźżćń", "czech": "ěřůšž", "hungarian": "őűöü",
    "romanian": "ăâîșțşţ", "turkish": "ğışçöü", "vietnamese": "đơưạảấầẩậắằẵặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹ",
    "ukrainian": "іїєґ", "serbian": "ђјљњћџ", "bulgarian": "ъ", "russian": "ыэ", "persian": "پچژگیک",
    "chinese": "".join(STOP_WORDS["chinese"]), "japanese": "".join(map(chr, range(0x3041, 0x30FB))),
    "thai": "".join(map(chr, range(0xE01, 0xE4F))),
}  # fmt: skip
_VOTES: dict[str, tuple[str, ...]] = {}  # a word as it may stand in a text, or a letter: the languages it speaks for
for _language, _words in STOP_WORDS.items():
    for _word in {form for word in _words for form in (word, word.capitalize(), word.upper())}:
        _VOTES[_word] = (*_VOTES.get(_word, ()), _language)
_LETTER_VOTES: dict[str, tuple[str, ...]] = {}
for _language, _letters in _TELLING.items():
    for _letter in _letters:
        _LETTER_VOTES[_letter] = (*_LETTER_VOTES.get(_letter, ()), _language)
TELLING_WORDS = frozenset(_VOTES)
_TELLING_LETTERS = frozenset(_LETTER_VOTES)
_NOT_ASCII = re.compile(r"[^\0-\x7f]")  # no other letter tells


def spoken_in(words: Iterable[str], text: str, preferred: Sequence[str] = (DEFAULT_LANGUAGE,)) -> str:
    """The language of a text whose words (see `words_of`), or those of TELLING_WORDS, are known; see `language_of`."""
    votes: dict[str, int] = {}
    for word in TELLING_WORDS.intersection(words):
        for language in _VOTES[word]:
            votes[language] = votes.get(language, 0) + 1
    if not text.isascii():
        for letter in _TELLING_LETTERS.intersection(_NOT_ASCII.findall(text)):
            for language in _LETTER_VOTES[letter]:
                votes[language] = votes.get(language, 0) + 1
    # Last by name: a tie must not depend on the order of a set, which changes from process to process.
    first = max(votes, key=lambda language: (votes[language], language in preferred, language), default="")
    # A single Latin word or letter tells nothing: most are a name's (Los Angeles, Den Haag, Köln).
    told = first in preferred or votes.get(first, 0) > 1 or home_of(first) != DEFAULT_LANGUAGE
    return first if told else ""


def language_of(text: str, preferred: Sequence[str] = (DEFAULT_LANGUAGE,)) -> str:
    """The language of a text, such as "german"; "" where its words and letters tell none.

    preferred: those that win where as much speaks for others.
    """
    return spoken_in(words_of(text), text, preferred)


def script_of(word: str) -> str:
    """The usual language of the script of a word's first letter; "" if there is none or it is not stemmed."""
    code = ord(word[0])
    return next((language for end, language in _SCRIPTS if code <= end), "")


@lru_cache(maxsize=64)
def home_of(language: str) -> str:
    """The usual language of the script that a language is written in; "" for one whose words are not stemmed."""
    return script_of(min(STOP_WORDS.get(language, "\uffff")))
