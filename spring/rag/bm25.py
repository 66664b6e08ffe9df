"""Which passages go with a question: BM25 over words of any script.

The scores are those of rank-bm25's `BM25Okapi` (k1 = 1.5, b = 0.75) with Lucene's idf, which is always above
0: by rank-bm25's own a matching word counts against the only passage, and for nothing among two passages.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

from spring.data.cleaning import HAN_HIRAGANA, KATAKANA, SOUTHEAST_ASIAN
from spring.data.text_size import text_bytes
from spring.data.types import Passage

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


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. score: BM25, above 0. rank: from 1. terms: the question's terms that it contains.

    One that came with the question, and was not searched for, has score 0 and no terms.
    """

    passage: Passage
    score: float
    rank: int
    terms: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.score < 0 or self.rank < 1 or (self.score > 0) != bool(self.terms):
            raise ValueError("A hit has a rank from 1, and a score above 0 with a term, or neither.")


class _LuceneOkapi(BM25Okapi):  # type: ignore[misc]  # rank-bm25 has no types
    def _calc_idf(self, nd: Mapping[str, int]) -> None:
        size = self.corpus_size
        self.idf = {term: math.log(1 + (size - n + 0.5) / (n + 0.5)) for term, n in nd.items()}


class Bm25Retriever:
    """An index of passages. It never changes, so threads may share it."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        tokens = [tokenize(passage.searched) for passage in self.passages]
        self._rows: dict[str, int] = {}
        if any(tokens):  # rank-bm25 divides by the number of passages and by their mean length
            self._index(_LuceneOkapi(tokens))

    def _index(self, okapi: _LuceneOkapi) -> None:
        """Keep, for each term, the passages that contain it and its score in each.

        rank-bm25 looks up every passage for every term of a question; these lists give the same scores many
        times faster. Row r of the lists is `_starts[r]:_starts[r + 1]`, passages ascending.
        """
        self._rows = {term: row for row, term in enumerate(okapi.idf)}
        counts = okapi.doc_freqs
        rows = np.fromiter((self._rows[term] for count in counts for term in count), np.int64)
        found_in = np.repeat(np.arange(len(counts)), [len(count) for count in counts])
        n = np.fromiter((n for count in counts for n in count.values()), np.float64)
        length = np.array(okapi.doc_len)[found_in] / okapi.avgdl
        idf = np.fromiter(okapi.idf.values(), np.float64)[rows]
        scores = idf * n * (okapi.k1 + 1) / (n + okapi.k1 * (1 - okapi.b + okapi.b * length))
        order = np.argsort(rows, kind="stable")
        self._found_in, self._scores = found_in[order], scores[order]
        self._starts = np.searchsorted(rows[order], np.arange(len(self._rows) + 1))

    def _matches(self, term: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        row = slice(*self._starts[self._rows[term] :][:2])
        return self._found_in[row], self._scores[row]

    def _contains(self, passage: int, term: str) -> bool:
        found_in, _ = self._matches(term)
        place = np.searchsorted(found_in, passage)
        return bool(place < len(found_in) and found_in[place] == passage)

    def search(self, question: str, limit: int) -> list[Hit]:
        """The at most `limit` passages that go best with a question, best first, equal ones in their order.

        Only passages that contain one of the question's terms (see `question_terms`) are hits.
        """
        terms = [term for term in question_terms(question) if term in self._rows]
        if not terms or limit < 1:
            return []
        scores = np.zeros(len(self.passages))
        for term in terms:
            found_in, score = self._matches(term)
            scores[found_in] += score
        found = np.flatnonzero(scores)
        if len(found) > limit:  # sort no more than the best
            found = found[scores[found] >= np.partition(scores[found], -limit)[-limit]]
        best = found[np.argsort(-scores[found], kind="stable")][:limit]
        return [
            Hit(self.passages[i], float(scores[i]), rank, tuple(t for t in terms if self._contains(i, t)))
            for rank, i in enumerate(best.tolist(), 1)
        ]

    @property
    def nbytes(self) -> int:
        """About the memory that passages and index take."""
        texts = text_bytes(passage.searched for passage in self.passages) + text_bytes(self._rows)
        arrays = (self._found_in, self._scores, self._starts) if self._rows else ()
        return texts + sum(array.nbytes for array in arrays)
