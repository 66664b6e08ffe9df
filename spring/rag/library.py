"""What can be asked about: the sample collections of `corpora/`, indexes on disk, and visitors' own documents."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spring.data.collection import read_collection
from spring.data.questions import Question, read_questions
from spring.data.text_size import text_bytes
from spring.data.types import Collection
from spring.errors import DocumentError
from spring.rag.bm25 import Bm25Retriever
from spring.rag.index import IndexRetriever
from spring.rag.retriever import Hit

CORPORA = Path(__file__).parents[2] / "corpora"
# What visitors are told: the reason, with the folder's path, is for the log.
_UNUSABLE = "cannot be used now: please choose another one, and tell who runs this page, whose log says why."
FIRST = "orlo-station"  # an invented place: what the model says of it can only come from the passages


class Unusable:
    """In the place of an index that cannot be used: whoever asks it is told why."""

    nbytes = 0

    def __init__(self, error: DocumentError) -> None:
        self.error = error

    def search(self, question: str, limit: int) -> Sequence[Hit]:
        """Say what is wrong.

        Raises:
            DocumentError: always.

        """
        raise self.error

    def fingerprint(self) -> str:
        """Say what is wrong.

        Raises:
            DocumentError: always.

        """
        raise self.error


@dataclass(frozen=True, eq=False)
class Library:
    """Documents that can be asked about, with questions and golden answers if there are any.

    collection: empty where the documents are an index on disk.
    """

    name: str
    collection: Collection
    retriever: Bm25Retriever | IndexRetriever | Unusable
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


def open_collections(
    indexes: Iterable[tuple[str, str]], say: Callable[[str], None] = lambda line: None
) -> list[Library]:
    """Offer indexes made by `spring index`: each is opened once, when it is first searched, and shared by all.

    One that cannot be used is offered too, as `Unusable`, so that the others and the page do not suffer from it.

    Args:
        indexes: for each its name and folder.
        say: called with a sentence about each that cannot be used.

    """
    libraries = list[Library]()
    for name, folder in indexes:
        retriever: IndexRetriever | Unusable
        try:
            retriever = IndexRetriever(Path(folder))
        except DocumentError as error:
            say(f"The collection {name} cannot be used: {error}")
            retriever = Unusable(DocumentError(f"The collection {name} {_UNUSABLE}"))
        libraries.append(Library(name, Collection((), (), ()), retriever))
    return libraries


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
