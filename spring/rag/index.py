"""BM25 on disk, for collections that are too large for memory: an index folder of tantivy's with terms of our own.

tantivy ranks with k1 = 1.2 and rounded lengths, so some 50 candidates are taken from it and scored with the formula,
constants and exact lengths of `spring.rag.bm25`. `spring.rag.index_build` writes the folder:

    manifest.json    what it is, by which rules, how much it holds, and which folder has the data
    data-.../        tantivy's files; the manifest is replaced last, so that an interrupted build changes nothing
"""

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from spring.data.types import Passage
from spring.errors import DocumentError
from spring.rag.retriever import Hit
from spring.rag.terms import RULES, question_terms, searched_languages

if TYPE_CHECKING:
    import tantivy

MANIFEST = "manifest.json"
FORMAT = "spring-index"
VERSION = 1
K1, B = 1.5, 0.75
CANDIDATES = 50
MOST_TERMS = 256  # of one question, the rarest: a whole page of text is no question


class Manifest(BaseModel):
    """What an index folder says of itself."""

    format: str
    version: int
    rules: int  # of the terms, `spring.rag.terms.RULES`
    tantivy: str  # the version that wrote the data
    data: str  # the folder with the data
    passages: int
    documents: int  # files
    terms: int  # of all passages, repeated as often as they occur
    languages: dict[str, int]  # passages in each
    fingerprint: str  # a digest of all that was put in

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of an index.

        Raises:
            DocumentError: the folder holds no index, or one that this version cannot read.

        """
        try:
            manifest = cls.model_validate_json((folder / MANIFEST).read_bytes())
        except OSError as error:
            raise DocumentError(f"{folder} is no index: it has no {MANIFEST}; make one with `spring index`.") from error
        except ValidationError as error:
            raise DocumentError(f"{folder} is no index of this program: its {MANIFEST} is another's.") from error
        if manifest.format != FORMAT:
            raise DocumentError(f"{folder} is no index of this program: its {MANIFEST} is another's.")
        if (manifest.version, manifest.rules) != (VERSION, RULES):
            age = "a newer" if (manifest.version, manifest.rules) > (VERSION, RULES) else "an older"
            raise DocumentError(
                f"{folder} was made by {age} version of this program: make it anew with `spring index`."
            )
        if Path(manifest.data).name != manifest.data or not (folder / manifest.data).is_dir():
            raise DocumentError(f"{folder} is not complete: its data is not there; make it anew with `spring index`.")
        return manifest


def is_index(path: Path) -> bool:
    """Whether a path is a folder with a manifest, which says it is an index (right or not)."""
    return (path / MANIFEST).is_file()


def schema() -> "tantivy.Schema":
    """The fields of a passage in tantivy's files."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", stored=True, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("order", stored=True)  # place in the index: of equal ones the first comes first
    builder.add_bytes_field("passage", stored=True)  # JSON of `_FIELDS`
    return builder.build()


def register(index: "tantivy.Index") -> None:
    """Terms are parted by spaces and stay as they are."""
    import tantivy

    index.register_tokenizer("whitespace", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())


def pack(passage: Passage) -> bytes:
    """A passage as it is stored."""
    fields = [passage.document, passage.page, passage.text, passage.section, passage.title, passage.id, passage.index]
    return json.dumps(fields, ensure_ascii=False).encode()


def unpack(data: bytes) -> Passage:
    """A stored passage."""
    document, page, text, section, title, id, index = json.loads(data)
    return Passage(document, page, index, text, section, title, id)


class IndexRetriever:
    """The passages of an index folder: opened at the first search, read-only, to be shared by threads.

    Raises:
        DocumentError: the folder holds no index that can be used.

    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.manifest = folder, Manifest.read(folder)
        self._opening = threading.Lock()
        self._opened: tuple[tantivy.Searcher, tantivy.Schema] | None = None

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
        searcher, schema = self._open()
        try:
            weights = self._weights(searcher, words)
            if not weights:
                return []
            found = self._candidates(searcher, schema, weights, max(CANDIDATES, 2 * limit))
            found.sort(key=lambda candidate: (-candidate[0], candidate[1]))
            return [
                Hit(unpack(document.get_first("passage")), score, rank, tuple(dict.fromkeys(words[t] for t in matched)))
                for rank, (score, _, matched, document) in enumerate(found[:limit], 1)
            ]
        except (OSError, ValueError, TypeError) as error:  # what tantivy raises for files that were changed
            raise self._damaged() from error

    def _open(self) -> "tuple[tantivy.Searcher, tantivy.Schema]":
        with self._opening:
            if self._opened is None:
                import tantivy

                try:
                    index = tantivy.Index.open(str(self.folder / self.manifest.data))
                    register(index)
                    self._opened = index.searcher(), index.schema
                except (OSError, ValueError) as error:
                    raise self._damaged() from error
                if self._opened[0].num_docs != self.manifest.passages:
                    raise self._damaged()
            return self._opened

    def _damaged(self) -> DocumentError:
        return DocumentError(f"The index {self.folder} is damaged or was changed: make it anew with `spring index`.")

    def _weights(self, searcher: "tantivy.Searcher", terms: Mapping[str, str]) -> dict[str, float]:
        """Lucene's idf of the terms that some passage has; of very many the rarest."""
        counts = {term: count for term in terms if (count := searcher.doc_freq("terms", term))}
        if len(counts) > MOST_TERMS:
            rarest = set(sorted(counts, key=counts.__getitem__)[:MOST_TERMS])
            counts = {term: count for term, count in counts.items() if term in rarest}
        size = self.manifest.passages
        return {term: math.log(1 + (size - n + 0.5) / (n + 0.5)) for term, n in counts.items()}

    def _candidates(
        self, searcher: "tantivy.Searcher", schema: "tantivy.Schema", weights: Mapping[str, float], limit: int
    ) -> list[tuple[float, int, list[str], Any]]:
        """Score, place, matched terms and stored fields of tantivy's best."""
        import tantivy

        queries = [
            (tantivy.Occur.Should, tantivy.Query.term_query(schema, "terms", term, index_option="freq"))
            for term in weights
        ]
        found = searcher.search(tantivy.Query.boolean_query(queries), limit, count=False).hits
        mean = self.manifest.terms / self.manifest.passages
        candidates: list[tuple[float, int, list[str], Any]] = []
        for _, address in found:
            document: Any = searcher.doc(address)
            terms: list[str] = document.get_first("terms").split(" ")
            norm = K1 * (1 - B + B * len(terms) / mean)
            counts = {term: n for term in weights if (n := terms.count(term))}
            score = sum(weights[term] * n * (K1 + 1) / (n + norm) for term, n in counts.items())
            candidates.append((score, document.get_first("order"), list(counts), document))
        return candidates

    def of_row(self, id: str) -> list[Passage]:
        """The passages of the corpus row with an id, in their order; none if there is no such row."""
        import tantivy

        searcher, schema = self._open()
        query = tantivy.Query.term_query(schema, "id", id, index_option="basic")
        documents: list[Any] = [searcher.doc(address) for _, address in searcher.search(query, 1_000, count=False).hits]
        documents.sort(key=lambda document: document.get_first("order"))
        return [unpack(document.get_first("passage")) for document in documents]

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


def document_fields(terms: str, id: str, order: int, passage: bytes) -> "tantivy.Document":
    """A passage as tantivy takes it."""
    import tantivy

    document = tantivy.Document()
    document.add_text("terms", terms)
    if id:
        document.add_text("id", id)
    document.add_unsigned("order", order)
    document.add_bytes("passage", passage)
    return document
