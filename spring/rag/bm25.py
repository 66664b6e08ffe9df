"""BM25 in memory, for the sample collections and for uploads.

The scores are those of rank-bm25's `BM25Okapi` (k1 = 1.5, b = 0.75) with Lucene's idf, which is always positive:
with rank-bm25's own idf a matching word counts against the only passage, and for nothing among two passages.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

from spring.data.text_size import text_bytes
from spring.data.types import Passage
from spring.rag.languages import DEFAULT_LANGUAGE
from spring.rag.retriever import Hit
from spring.rag.terms import passage_terms, question_terms, searched_languages

PROGRESS = 1_000  # passages between two reports of an index that is built


class _LuceneOkapi(BM25Okapi):  # type: ignore[misc]  # rank-bm25 has no types
    def _calc_idf(self, nd: Mapping[str, int]) -> None:
        size = self.corpus_size
        self.idf = {term: math.log(1 + (size - n + 0.5) / (n + 0.5)) for term, n in nd.items()}


class Bm25Retriever:
    """An index of passages. It never changes, so threads may share it.

    Args:
        passages: what to index.
        progress: called now and then with the number of passages whose words are counted, the last time with that of
            all, before their scores are computed; an error that it raises ends the work.

    """

    def __init__(self, passages: Sequence[Passage], progress: Callable[[int], None] = lambda done: None) -> None:
        self.passages = tuple(passages)
        self._languages = Counter[str]()
        self._rows: dict[str, int] = {}
        if self.passages:  # rank-bm25 divides by their number
            okapi = _LuceneOkapi(self._terms(progress))
            progress(len(self.passages))
            if okapi.avgdl:
                self._index(okapi)

    def _terms(self, progress: Callable[[int], None]) -> Iterator[list[str]]:
        """The terms of each passage, made as they are counted, so that they are never all in memory."""
        language = DEFAULT_LANGUAGE
        for done, passage in enumerate(self.passages):
            if done and done % PROGRESS == 0:
                progress(done)
            terms, language = passage_terms(passage, language)
            self._languages[language] += 1
            yield terms

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

    def query_terms(self, question: str) -> dict[str, str]:
        """The terms to search for, each with the word of the question that it stands for."""
        return question_terms(question, searched_languages(self._languages, question))

    def search(self, question: str, limit: int) -> list[Hit]:
        """The at most `limit` passages that go best with a question, best first, equal ones in their order.

        Only a passage with a term of the question (see `question_terms`) is a hit; stop words are none.
        """
        words = self.query_terms(question)
        terms = [term for term in words if term in self._rows]
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
        found_words = [dict.fromkeys(words[term] for term in terms if self._contains(i, term)) for i in best.tolist()]
        return [
            Hit(self.passages[i], float(scores[i]), rank, tuple(found))
            for rank, (i, found) in enumerate(zip(best.tolist(), found_words, strict=True), 1)
        ]

    def fingerprint(self) -> str:
        """A digest of the passages' texts, in their order."""
        digest = hashlib.sha256()
        for passage in self.passages:
            digest.update(passage.searched.encode() + b"\0")
        return digest.hexdigest()

    @property
    def nbytes(self) -> int:
        """About the memory that passages and index take."""
        texts = text_bytes(passage.searched for passage in self.passages) + text_bytes(self._rows)
        arrays = (self._found_in, self._scores, self._starts) if self._rows else ()
        return texts + sum(array.nbytes for array in arrays)
