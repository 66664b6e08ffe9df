"""Cut texts and questions of any script into the terms that are searched for, and find them again in a text."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache

from spring.data.cleaning import HAN_HIRAGANA, KATAKANA, SOUTHEAST_ASIAN

# Articles, pronouns, auxiliaries, prepositions, question words, and what is left of "doesn't" and "we'll".
# Not "may" and "us": without case they are also the month and the country.
_STOP_WORDS = """
    a about after all also am an and any are as at be been before being but by can could did do does doing
    doesn don didn during each either else ever few for from get give had has have having he her here hers
    him his how i if in into is isn it its just ll many me more most much must my no nor not of off on
    only or other our out over please re s same shall she should so some such t tell than that the their
    them then there these they this those through to too under until up upon ve very was wasn we were what
    when where whether which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

_UNSPACED = KATAKANA + HAN_HIRAGANA + SOUTHEAST_ASIAN
# `\w` leaves out the combining marks, which are the vowels of Hindi, Thai and others.
_MARKS = "".join(chr(c) for c in range(0x300, 0x1F000) if unicodedata.category(chr(c)).startswith("M"))
_WORD = re.compile(  # words of ASCII alone come first because they are found in a third of the time
    rf"(?P<word>[0-9A-Za-z]++(?![^\0-\x7f])|[^\W_{_UNSPACED}]+(?:[{_MARKS}]+[^\W_{_UNSPACED}]*)*)"
    rf"(?:['’][sS](?![^\W_]))?"
    rf"|(?P<ideograph>[{KATAKANA}{HAN_HIRAGANA}])|(?P<syllables>[{SOUTHEAST_ASIAN}]+)"
)
_SYLLABLE = re.compile(f"[^{_MARKS}][{_MARKS}]*|[{_MARKS}]+")
# The accents of Latin, Greek and Cyrillic letters; other scripts' marks are elsewhere.
_ACCENTS = re.compile("[\u0300-\u036f]+")


@lru_cache(maxsize=100_000)
def _fold(word: str) -> str:
    """One spelling for a word's upper and lower case, accented and compatibility forms (`ﬁ`, full width)."""
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded)) or word


def term_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Each term of a text, with the start and end of the characters it stands for, in order.

    A term is a word without case and accents (`Café` is `cafe`) and without the English 's; each Chinese or
    Japanese character; each two neighbouring characters, marks included, of Thai, Lao, Khmer and Burmese,
    which have no spaces between words either.
    """
    for match in _WORD.finditer(text):
        start, end = match.span(match.lastgroup or 0)
        if match.lastgroup == "syllables":
            starts = [start + syllable.start() for syllable in _SYLLABLE.finditer(match[0])] + [end]
            for first, last in zip(starts, starts[2:] or starts[1:], strict=False):
                yield _fold(text[first:last]), first, last
        else:
            yield _fold(text[start:end]), start, end


def tokenize(text: str) -> list[str]:
    """The terms of a text (see `term_spans`), repeated as often as they occur."""
    return [term for term, _, _ in term_spans(text)]


def question_terms(question: str) -> tuple[str, ...]:
    """The terms to search for: each once, without stop words unless there are no others."""
    terms = dict.fromkeys(tokenize(question))
    return tuple(term for term in terms if term not in STOP_WORDS) or tuple(terms)


def marked_spans(text: str, terms: AbstractSet[str] | Sequence[str]) -> list[tuple[int, int]]:
    """Where in `text` one of `terms` stands: start and end of characters, ascending, touching ones as one."""
    wanted, merged = frozenset(terms), list[tuple[int, int]]()
    for term, start, end in term_spans(text):
        if term in wanted and merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], end)
        elif term in wanted:
            merged.append((start, end))
    return merged
