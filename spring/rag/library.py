"""The sample collections of `corpora/`: documents to ask about, and questions with golden answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spring.data.collection import read_collection
from spring.data.questions import Question, read_questions
from spring.data.text_size import text_bytes
from spring.data.types import Collection
from spring.rag.bm25 import Bm25Retriever

CORPORA = Path(__file__).parents[2] / "corpora"
FIRST = "orlo-station"  # an invented place: what the model says of it can only come from the passages


@dataclass(frozen=True, eq=False)
class Library:
    """Documents that can be asked about: those of a sample collection, or a visitor's own."""

    name: str
    collection: Collection
    retriever: Bm25Retriever
    questions: tuple[Question, ...] = ()

    @property
    def nbytes(self) -> int:
        """About the memory that it takes."""
        pages = (page for document in self.collection.documents for page in document.pages)
        return self.retriever.nbytes + text_bytes(page.text for page in pages)

    @classmethod
    def build(cls, name: str, collection: Collection, questions: Sequence[Question] = ()) -> "Library":
        """Index the passages of a collection."""
        return cls(name, collection, Bm25Retriever(collection.passages), tuple(questions))


def load_samples(folder: Path = CORPORA) -> list[Library]:
    """Read all sample collections: folders that hold `documents/` and `questions.jsonl`."""
    return [
        Library.build(
            path.parent.name.replace("-", " ").capitalize(),
            read_collection([path.parent / "documents"]),
            read_questions(path).questions,
        )
        for path in sorted(folder.glob("*/questions.jsonl"), key=lambda path: (path.parent.name != FIRST, path))
    ]
