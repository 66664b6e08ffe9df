"""The documents that a visitor can ask about: the sample collections and the visitor's own uploads."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from spring.data.answers import normalize
from spring.data.copies import joined
from spring.data.questions import Question
from spring.data.types import Collection, FileResult
from spring.errors import PromptError
from spring.rag.bm25 import Bm25Retriever
from spring.rag.library import Library
from spring.settings import READING_LIMITS, ReadingLimits
from spring.web.visitors.progress import Say, silent
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import LONGEST_QUESTION, read_uploads, text_of
from spring.web.visitors.sessions import Sessions
from spring.web.visitors.uploads import Uploads

OWN = "Your documents"
ANSWER_SEPARATOR = " | "
MAX_OWN_PASSAGES = 20_000
NOT_ADDED = "The files were not added: this was stopped, or took too long."
NO_DOCUMENTS = Collection((), (), ())


class VisitorDocuments:
    """Find and read documents; knows nothing of the page.

    Args:
        samples: the sample collections.
        sessions: visitors' own documents, in memory.
        uploads: their files on disk, until they are read.
        limits: how much of the machine the reading may take.

    Raises:
        PromptError: two collections have the same name, or one that of the visitor's own documents.

    """

    def __init__(
        self,
        samples: Sequence[Library],
        sessions: Sessions,
        uploads: Uploads | None = None,
        limits: ReadingLimits = READING_LIMITS,
    ) -> None:
        names = [OWN, *(library.name for library in samples)]
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise PromptError(f"There is a collection {twice[0]} already: choose another name in SPRING_COLLECTIONS.")
        self.samples = {library.name: library for library in samples}
        self.sessions, self._uploads, self._limits = sessions, uploads, limits
        self._adding = threading.Lock()

    @property
    def collections(self) -> list[str]:
        """Names that can be chosen."""
        return [*self.samples, OWN]

    def sample(self, name: object) -> Library | None:
        """The sample collection of this name, if there is one."""
        return self.samples.get(name) if isinstance(name, str) else None

    def examples(self, name: object) -> Sequence[Question]:
        """The questions that a sample collection brings; empty for the visitor's own documents."""
        library = self.sample(name)
        return library.questions if library else ()

    def library(self, name: str, visitor: str) -> Library:
        """The chosen collection.

        Raises:
            PromptError: there is none of this name, or the visitor has no documents, or they have expired.

        """
        library = self.sessions.documents(visitor) if name == OWN else self.sample(name)
        if library is None:
            raise PromptError(
                "Upload a document first, or choose a sample collection."
                if name == OWN
                else f"There is no collection {text_of(name)[:80]!r}: choose one of {', '.join(self.collections)}."
            )
        return library

    def read(
        self, files: Sequence[str], request: QueuedRequest, before: Collection = NO_DOCUMENTS, say: Say = silent
    ) -> Collection:
        """Read uploaded files and remove them from the disk.

        Args:
            files: their paths.
            request: the reading stops when this is over.
            before: what the visitor has uploaded before.
            say: called with a line about each file.

        Raises:
            PromptError: there is no file, there are too many, or they are no longer here.
            DocumentError: they are too large together, or the request is over.

        """
        paths = [Path(file) for file in files]
        try:
            if not all(map(os.path.isfile, paths)):  # Path's own test raises where a name is too long
                raise PromptError("The files are no longer here: please upload them again.")
            return read_uploads(paths, before.results, self._limits, lambda: request.over, say)
        finally:
            self.discard(files)

    def add(
        self, files: Sequence[str], request: QueuedRequest, visitor: str, address: str, say: Say = silent
    ) -> tuple[Sequence[FileResult], bool]:
        """Read uploaded files and add them to the visitor's documents; `say` is called with how far that is.

        Returns:
            What became of every file that the visitor has uploaded, and whether there is anything to ask about.

        Raises:
            PromptError, DocumentError: as of `read`; or the request was over before all was indexed.
            BusyError: there is no room for more documents.

        """
        added = self.read(files, request, self._own(visitor), say)
        with self._adding:  # another upload of the same visitor may have been read meanwhile
            own = joined(self._own(visitor), added)
            if own.passages:
                self.sessions.keep(visitor, self.index(own, request, say), address)
                if request.discarded:  # the visitor removed all documents in the moment before
                    self.sessions.forget(visitor)
                    raise PromptError(NOT_ADDED)
        return own.results, bool(own.passages)

    def index(self, collection: Collection, request: QueuedRequest, say: Say = silent) -> Library:
        """Make a visitor's documents ready to be searched; `say` is called with how far that is.

        Raises:
            PromptError: the request is over, or there are too many passages.

        """
        if (count := len(collection.passages)) > MAX_OWN_PASSAGES:
            raise PromptError(
                f"These would be {count:,} passages; the page takes {MAX_OWN_PASSAGES:,} at once: "
                "please upload fewer or shorter files."
            )

        def stop_if_over() -> None:  # such as when the visitor has removed all documents meanwhile
            if request.over:
                raise PromptError(NOT_ADDED)

        def about(done: int) -> None:
            stop_if_over()
            say(f"Indexing {done:,} of {count:,} passages …" if done < count else f"Ranking {count:,} passages …")

        library = Library(OWN, collection, Bm25Retriever(collection.passages, about))
        stop_if_over()
        return library

    def discard(self, files: Sequence[str]) -> None:
        """Remove uploaded files from the disk."""
        if self._uploads is not None:
            self._uploads.discard(files)

    def expected_answers(self, question: object, expected: object) -> list[str]:
        """The golden answers to score with; those that an example brought count for its own question only.

        Raises:
            PromptError: they are too long, or nothing of them counts.

        """
        question, expected = text_of(question), text_of(expected)
        if len(expected) > LONGEST_QUESTION:
            raise PromptError(f"The expected answer has {len(expected):,} characters; at most {LONGEST_QUESTION:,}.")
        for library in self.samples.values():
            for known in library.questions:
                if expected and expected == joined_answers(known) and question.strip() != known.question:
                    return []
        answers = [text for text in expected.split(ANSWER_SEPARATOR.strip()) if normalize(text)]
        if expected.strip() and not answers:
            raise PromptError(
                "The expected answer is nothing but articles and punctuation: give a word, or leave it empty."
            )
        return answers

    def expected_of(self, name: object, question: str) -> str:
        """The golden answers that a sample collection brings for a question, as the form shows them."""
        return joined_answers(next((known for known in self.examples(name) if known.question == question), None))

    def is_example(self, question: str) -> bool:
        """Whether a question is one that a sample collection brings."""
        return any(question == known.question for library in self.samples.values() for known in library.questions)

    def _own(self, visitor: str) -> Collection:
        """What the visitor has uploaded; empty again once it has expired."""
        own = self.sessions.documents(visitor) if self.sessions.has(visitor) else None
        return own.collection if own else NO_DOCUMENTS


def joined_answers(question: Question | None) -> str:
    """The golden answers of a question, as the form shows them."""
    return ANSWER_SEPARATOR.join(question.golden_answers) if question else ""
