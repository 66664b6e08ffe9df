"""What can be asked about: the sample collections, and what each visitor has uploaded."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from spring.data.types import Collection
from spring.errors import PromptError, SpringError
from spring.rag.library import Library
from spring.settings import READING_LIMITS, ReadingLimits
from spring.web.html import comparison as render
from spring.web.visitors.request_queue import QueuedRequest, RequestQueue
from spring.web.visitors.requests import LONGEST_QUESTION, read_uploads, text_of, visitor_of
from spring.web.visitors.sessions import Sessions
from spring.web.visitors.uploads import Uploads

OWN = "Your documents"
EXAMPLES = 4
GOLD_SEPARATOR = " | "
MOST_OWN_PASSAGES = 20_000
NOTHING = Collection((), (), ())


class Shelf:
    """The handlers of the form's documents and examples.

    Args:
        samples: the collections to choose from.
        sessions: visitors' own documents.
        uploads: their files on disk, until they are read.
        reading: the queue for the reading of files.
        limits: how much of the machine the reading may take.

    """

    def __init__(
        self,
        samples: Sequence[Library],
        sessions: Sessions,
        uploads: Uploads | None,
        reading: RequestQueue,
        limits: ReadingLimits = READING_LIMITS,
    ) -> None:
        self.samples = {library.name: library for library in samples}
        self.sessions, self._uploads, self._reading, self._limits = sessions, uploads, reading, limits
        self._adding = threading.Lock()

    @property
    def collections(self) -> list[str]:
        """Names that can be chosen."""
        return [*self.samples, OWN]

    def library(self, name: str, visitor: str) -> Library:
        """The documents that are chosen.

        Raises:
            PromptError: there are none yet, or none any more.

        """
        library = self.sessions.documents(visitor) if name == OWN else self._sample(name)
        if library is None:
            raise PromptError(
                "Upload a document first, or choose a sample collection."
                if name == OWN
                else f"There is no collection {text_of(name)[:80]!r}: choose one of {', '.join(self.collections)}."
            )
        return library

    def read(self, files: Sequence[str], turn: QueuedRequest, before: Collection = NOTHING) -> Collection:
        """Read uploaded files, which are then gone from the disk.

        Args:
            files: their paths.
            turn: the reading ends when this is over.
            before: what the visitor has uploaded before.

        Raises:
            PromptError: there is none, there are too many, they are no longer here, or they have too many passages.
            DocumentError: they are too large together, or the turn is over.

        """
        paths = [Path(file) for file in files]
        try:
            if not all(path.is_file() for path in paths):
                raise PromptError("The files are no longer here: please upload them again.")
            names = [result.name for result in before.results]
            added = read_uploads(paths, names, self._limits, lambda: turn.over)
        finally:
            self.discard(files)
        if (many := len(before.passages) + len(added.passages)) > MOST_OWN_PASSAGES:
            raise PromptError(
                f"These would be {many:,} passages; the page takes {MOST_OWN_PASSAGES:,} at once: "
                "please upload fewer or shorter files."
            )
        return added

    def discard(self, files: Sequence[str]) -> None:
        """Remove uploaded files from the disk."""
        if self._uploads is not None:
            self._uploads.discard(files)

    def upload(self, files: list[str] | None, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        """Read the uploaded files and add them to the visitor's documents; each file gets its line."""
        visitor, address = visitor_of(request)
        turn = self._reading.join(visitor, address)
        try:
            for place in self._reading.wait(turn):
                yield gr.skip(), gr.skip(), render.status(render.queue_line(place))
            if not turn.over:
                yield self._add(files or [], turn, visitor, address)
        except SpringError as error:
            yield None, gr.skip(), render.status(str(error), kind="error")
        finally:
            self._reading.finish(turn)
            self.discard(files or [])

    def _add(self, files: Sequence[str], turn: QueuedRequest, visitor: str, address: str) -> tuple[Any, ...]:
        added = self.read(files, turn, self._own(visitor))
        with self._adding:  # as another upload of the visitor's may have been read meanwhile
            before = self._own(visitor)
            results, passages = before.results + added.results, before.passages + added.passages
            if passages:
                joined = Collection(before.documents + added.documents, passages, results)
                self.sessions.keep(visitor, Library.build(OWN, joined), address)
        return None, OWN if passages else gr.skip(), render.file_list(results)

    def _own(self, visitor: str) -> Collection:
        """What the visitor has uploaded; an upload after it has expired begins anew."""
        own = self.sessions.documents(visitor) if self.sessions.has(visitor) else None
        return own.collection if own else NOTHING

    def forget(self, request: gr.Request) -> tuple[Any, ...]:
        """Drop the visitor's documents, and read no more of those that are being read."""
        visitor, _ = visitor_of(request)
        self._reading.end(visitor)
        self.sessions.forget(visitor)
        return next(iter(self.samples), OWN), ""

    def choose(self, name: str, question: str) -> list[Any]:
        """Show the chosen collection's examples; a question typed by the visitor stays."""
        library = self._sample(name)
        examples = library.questions if library else ()
        question = text_of(question)
        known = {q.question for sample in self.samples.values() for q in sample.questions}
        if question.strip() and question not in known:
            return [gr.skip(), gr.skip(), *_example_buttons(examples)]
        first = examples[0] if examples else None
        gold = GOLD_SEPARATOR.join(first.golden_answers) if first else ""
        return [first.question if first else "", gold, *_example_buttons(examples)]

    def example(self, index: int) -> Callable[[str], tuple[Any, Any]]:
        """The handler of an example's button: the question and its golden answers."""

        def fill(name: str) -> tuple[Any, Any]:
            library = self._sample(name)
            if library is None or index >= len(library.questions):
                return gr.skip(), gr.skip()
            question = library.questions[index]
            return question.question, GOLD_SEPARATOR.join(question.golden_answers)

        return fill

    def golden(self, question: str, gold: str) -> list[str]:
        """The golden answers to score with; those that an example brought go with its question alone.

        Raises:
            PromptError: they are too long to score every step of an answer with.

        """
        question, gold = text_of(question), text_of(gold)
        if len(gold) > LONGEST_QUESTION:
            raise PromptError(f"The expected answer has {len(gold):,} characters; {LONGEST_QUESTION:,} are the most.")
        for sample in self.samples.values():
            for known in sample.questions:
                if gold and gold == GOLD_SEPARATOR.join(known.golden_answers) and question.strip() != known.question:
                    return []
        return [text for text in gold.split(GOLD_SEPARATOR.strip()) if text.strip()]

    def _sample(self, name: str) -> Library | None:
        return self.samples.get(name) if isinstance(name, str) else None


def _example_buttons(questions: Sequence[Any]) -> list[Any]:
    shown = [gr.update(value=q.question, visible=True) for q in questions[:EXAMPLES]]
    return shown + [gr.update(visible=False)] * (EXAMPLES - len(shown))
