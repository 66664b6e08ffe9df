"""BM25 on disk, for collections that are too large for memory: an index folder of tantivy's with terms of our own.

tantivy ranks with k1 = 1.2 and rounded lengths, so more candidates than are asked for are taken from it and scored with
the formula, constants and exact lengths of `spring.rag.bm25`. `spring.rag.index_build` writes the folder:

    manifest.json    what it is, by which rules, how much it holds, and which folder has the data
    data-.../        tantivy's files, and those of `spring.rag.index_terms`
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spring.data.types import Passage
from spring.errors import DocumentError
from spring.rag.index_fields import register, unpack
from spring.rag.index_folder import Manifest
from spring.rag.index_terms import Numbers, Terms
from spring.rag.retriever import Hit
from spring.rag.terms import question_terms, searched_languages

if TYPE_CHECKING:
    import tantivy

K1, B = 1.5, 0.75
CANDIDATES = 50
MORE_CANDIDATES = 200  # of the rarest terms alone
LAST = 5  # of the candidates, whose scores by our formula show what that of no candidate can be
POSTINGS = 200_000  # entries of terms' lists that are read at first; some 6 ns each
MOST_TERMS = 256  # of one question, the rarest: a whole page of text is no question


class _Opened(NamedTuple):
    searcher: "tantivy.Searcher"
    schema: "tantivy.Schema"
    terms: Terms

    def passage(self, address: "tantivy.DocAddress") -> Passage:
        packed: Any = self.searcher.doc(address).get_first("passage")
        return unpack(packed)

    def numbers(self, addresses: list["tantivy.DocAddress"]) -> Numbers:
        """The numbers of passages in the index."""
        return np.array(self.searcher.fast_field_values("order", addresses), np.int64)


class IndexRetriever:
    """The passages of an index folder: opened at the first search, read-only, to be shared by threads.

    Raises:
        DocumentError: the folder holds no index that can be used.

    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, Manifest.read(folder)
        self._opening = threading.Lock()
        self._opened: _Opened | None = None

    def __len__(self) -> int:
        return self.manifest.passages

    @property
    def nbytes(self) -> int:
        """About the memory that it takes: the files are the system's to keep in memory or not."""
        return 2**20

    def fingerprint(self) -> str:
        """A digest of the passages, made when they were indexed."""
        return self.manifest.fingerprint

    def query_terms(self, question: str) -> dict[str, str]:
        """The terms to search for, each with the word of the question that it stands for."""
        return question_terms(question, searched_languages(self.manifest.languages, question))

    def search(self, question: str, limit: int) -> list[Hit]:
        """The at most `limit` passages that fit a question best, best first, of equal ones the first.

        Raises:
            DocumentError: the index is damaged.

        """
        words = self.query_terms(question)
        if not words or limit < 1 or not self.manifest.passages:
            return []
        opened = self._open()
        try:
            found_in = self._found_in(opened.searcher, words)
            if not found_in:
                return []
            hits = list[Hit]()
            for rank, (address, score, terms) in enumerate(self._best(opened, found_in, limit), 1):
                matched = dict.fromkeys(word for term, word in words.items() if term in terms)
                hits.append(Hit(opened.passage(address), score, rank, tuple(matched)))
            return hits
        except (OSError, ValueError, TypeError, IndexError) as error:  # what changed files lead to
            raise self._damaged() from error

    def _open(self) -> _Opened:
        with self._opening:
            if self._opened is None:
                import tantivy

                data = self.folder / self.manifest.data
                try:
                    index = tantivy.Index.open(str(data))
                    register(index)
                    opened = _Opened(index.searcher(), index.schema, Terms(data, self.manifest.passages))
                except (OSError, ValueError) as error:
                    raise self._damaged() from error
                if opened.searcher.num_docs != self.manifest.passages:
                    raise self._damaged()
                self._opened = opened
            return self._opened

    def _damaged(self) -> DocumentError:
        name = self.folder.name  # not its path, which visitors of the page would see
        return DocumentError(f"The index {name} is damaged or was changed: make it anew with `spring index`.")

    def _found_in(self, searcher: "tantivy.Searcher", terms: Iterable[str]) -> dict[str, int]:
        """The terms that some passage has, the rarest first, and in how many; of very many terms the rarest."""
        counts = ((count, term) for term in terms if (count := searcher.doc_freq("terms", term)))
        return {term: count for count, term in sorted(counts)[:MOST_TERMS]}

    def _best(
        self, opened: _Opened, found_in: Mapping[str, int], limit: int
    ) -> Iterator[tuple["tantivy.DocAddress", float, set[str]]]:
        """The passages that score best, each with its score and the terms it has.

        tantivy reads the whole list of every term that it is asked for. The longest lists are of terms that count
        least: candidates are those of the rarest terms alone, unless the others might bring in one that is better.
        """
        terms, n = [*found_in], np.array([*found_in.values()])
        idf = np.log(1 + (self.manifest.passages - n + 0.5) / (n + 0.5))
        asked, most = 0, POSTINGS
        while asked < len(terms):
            asked = max(asked + 1, int(np.searchsorted(n.cumsum(), most, side="right")))
            number = max(CANDIDATES if asked == len(terms) else MORE_CANDIDATES, 2 * limit)
            candidates = self._candidates(opened, terms[:asked], number)
            passages = opened.numbers(candidates)
            counts, lengths = opened.terms.counts(passages, terms)
            norm = K1 * (1 - B + B * lengths * (self.manifest.passages / self.manifest.terms))
            parts = idf * counts * (K1 + 1) / (counts + norm[:, None])
            scores = parts.sum(axis=1)
            best = np.lexsort((passages, -scores))[:limit].tolist()
            others = parts[-LAST:, :asked].sum(axis=1).max() if len(candidates) == number else 0.0
            if len(best) == limit and others + idf[asked:].sum() * (K1 + 1) < scores[best[-1]]:
                break
            most *= 4
        for row in best:
            yield candidates[row], float(scores[row]), {terms[column] for column in counts[row].nonzero()[0]}

    def _candidates(self, opened: _Opened, terms: Sequence[str], limit: int) -> list["tantivy.DocAddress"]:
        """Tantivy's best."""
        import tantivy

        queries = [
            (tantivy.Occur.Should, tantivy.Query.term_query(opened.schema, "terms", term, index_option="freq"))
            for term in terms
        ]
        found = opened.searcher.search(tantivy.Query.boolean_query(queries), limit, count=False)
        return [address for _, address in found.hits]

    def of_row(self, id: str) -> list[Passage]:
        """The passages of the corpus row with an id, in their order; none if there is no such row."""
        import tantivy

        opened = self._open()
        query = tantivy.Query.term_query(opened.schema, "id", id, index_option="basic")
        found = [address for _, address in opened.searcher.search(query, 1_000, count=False).hits]
        return [opened.passage(found[place]) for place in np.argsort(opened.numbers(found)).tolist()]

    @property
    def rows(self) -> Mapping[str, Sequence[Passage]]:
        """The passages of every corpus row by its id, looked up when they are asked for."""
        return _Rows(self)


class _Rows(Mapping[str, Sequence[Passage]]):
    def __init__(self, retriever: IndexRetriever) -> None:
        self._retriever = retriever

    def __getitem__(self, id: str) -> Sequence[Passage]:
        if id and (found := self._retriever.of_row(id)):
            return found
        raise KeyError(id)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("The ids of an index are looked up one by one.")

    def __len__(self) -> int:
        return self._retriever.manifest.passages
