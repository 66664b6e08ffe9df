"""The page's handlers: thin, they turn what a visitor sets into calls of the package and back into HTML.

The page is served before the model is loaded, so nothing here imports torch before a model is there to be asked.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from spring import render
from spring.documents import Collection
from spring.errors import PromptError, SpringError
from spring.inputs import comparison_settings, question_text, read_uploads
from spring.limits import LIMITS, Limits
from spring.samples import Library
from spring.turns import Turns

if TYPE_CHECKING:
    from spring.comparison import Comparison
    from spring.generation import Engine

MODEL = "model"  # the queue of everything that needs the model
PRIVATE: Any = {"api_visibility": "private"}
COMPARE = "Compare"  # the main tab
OWN = "Your documents"
EXAMPLES = 4
GOLD_SEPARATOR = " | "
EXPECTED_TOKENS = 50  # the slider's end until the model's tokens are known
MOST_OWN_PASSAGES = 20_000
LOADING = "The model is still loading; the answers come right after."


class Page:
    """The handlers. A visitor's own documents are in that visitor's `gr.State`, never here."""

    def __init__(self, engine: "Future[Engine]", samples: Sequence[Library], limits: Limits = LIMITS) -> None:
        self._engine = engine
        self.limits = limits
        self.samples = {library.name: library for library in samples}
        self.turns = Turns()
        self.uploads = Turns()  # apart: an upload does not end a comparison

    @property
    def engine(self) -> "Engine":
        """The model; waits until it is loaded.

        Raises:
            SpringError: it could not be loaded.

        """
        return self._engine.result()

    @property
    def loaded(self) -> bool:
        """Whether the model can answer at once."""
        return self._engine.done()

    @property
    def collections(self) -> list[str]:
        """Names that can be chosen."""
        return [*self.samples, OWN]

    def library(self, name: str, own: Library | None) -> Library:
        """The documents that are chosen.

        Raises:
            PromptError: there are none yet.

        """
        library = own if name == OWN else self.samples.get(name)
        if library is None:
            raise PromptError(
                "Upload a document first, or choose a sample collection."
                if name == OWN
                else f"There is no collection {name!r}: choose one of {', '.join(self.collections)}."
            )
        return library

    def upload(self, files: list[str] | None, own: Library | None, request: gr.Request) -> tuple[Any, ...]:
        """Read the uploaded files and add them to the visitor's documents; each file gets its line."""
        paths = [Path(file) for file in files or ()]
        before = own.collection if own else Collection((), (), ())
        try:
            added = self._read(paths, before, request)
        except SpringError as error:
            return None, own, gr.skip(), render.status(str(error), kind="error")
        passages = before.passages + added.passages
        lines = render.file_list(before.results + added.results)
        if len(passages) > MOST_OWN_PASSAGES:
            return (
                None,
                own,
                gr.skip(),
                render.status(
                    f"These would be {len(passages):,} passages; the page takes {MOST_OWN_PASSAGES:,} at once.",
                    kind="error",
                ),
            )
        if not passages:
            return None, own, gr.skip(), lines
        joined = Collection(before.documents + added.documents, passages, before.results + added.results)
        return None, Library.build(OWN, joined), OWN, lines

    def _read(self, paths: Sequence[Path], before: Collection, request: gr.Request) -> Collection:
        """Read uploads until the visitor presses Stop, leaves, or uploads others."""
        visitor = request.session_hash or ""
        turn = self.uploads.take(visitor, self.uploads.begin(visitor))
        names = [result.name for result in before.results]
        return read_uploads(paths, names, self.limits, stop=lambda: turn is None or turn.is_set())

    def forget(self) -> tuple[Any, ...]:
        """Drop the visitor's documents."""
        return None, next(iter(self.samples), OWN), ""

    def choose(self, name: str, question: str, gold: str, own: Library | None) -> list[Any]:
        """Show the chosen collection's examples; a question typed by the visitor stays."""
        library = own if name == OWN else self.samples.get(name)
        examples = library.questions if library else ()
        question, gold = question or "", gold or ""
        known = {q.question for sample in self.samples.values() for q in sample.questions}
        if question in known or not question.strip():
            question = examples[0].question if examples else ""
            gold = GOLD_SEPARATOR.join(examples[0].golden_answers) if examples else ""
        return [question, gold, *_example_buttons(examples)]

    def example(self, index: int) -> Callable[[str], tuple[Any, Any]]:
        """The handler of an example's button: the question and its golden answers."""

        def fill(name: str) -> tuple[Any, Any]:
            questions = self.samples[name].questions if name in self.samples else ()
            if index >= len(questions):
                return gr.skip(), gr.skip()
            question = questions[index]
            return question.question, GOLD_SEPARATOR.join(question.golden_answers)

        return fill

    def golden(self, question: str, gold: str) -> list[str]:
        """The golden answers to score with; those that an example brought go with its question alone."""
        for sample in self.samples.values():
            for known in sample.questions:
                if gold and gold == GOLD_SEPARATOR.join(known.golden_answers) and question.strip() != known.question:
                    return []
        return [text for text in (gold or "").split(GOLD_SEPARATOR.strip()) if text.strip()]

    def ask(
        self,
        ticket: float,
        question: str,
        name: str,
        own: Library | None,
        k: float,
        passages: float,
        told: bool,
        gold: str,
        max_new_tokens: float,
        temperature: float,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Stream status, answers, passages, prompt, and the buttons' states."""
        turn = self.turns.take(request.session_hash or "", ticket)
        if turn is None:  # never begun, or ended while it waited in the queue
            yield render.status("Stopped.") if ticket else gr.skip(), *(gr.skip(),) * 5
            return
        if not self.loaded:
            yield render.status(LOADING), *(gr.skip(),) * 5
        golden = self.golden(question, gold)
        try:
            library = self.library(name, own)
            settings = comparison_settings((0, k), passages, max_new_tokens, told, temperature)
            engine = self.engine
            from spring.comparison import compare

            last = None
            for comparison in compare(engine, library.retriever, question_text(question), settings):
                yield self._snapshot(comparison, golden, first=last is None)
                last = comparison
                if turn.is_set():
                    break
            if last is not None:
                yield self._snapshot(last, golden, ended=True, stopped=not last.progress.done)
        except SpringError as error:
            yield render.status(str(error), kind="error"), gr.skip(), gr.skip(), gr.skip(), *buttons(False)

    def _snapshot(
        self,
        comparison: "Comparison",
        golden: Sequence[str],
        first: bool = False,
        ended: bool = False,
        stopped: bool = False,
    ) -> tuple[Any, ...]:
        line = "Stopped." if stopped else render.progress_line(comparison)
        k = comparison.answers[1].virtual_tokens
        learned = bool(self.engine.tokens.learned)
        return (
            render.status(line, comparison.notes),
            render.answer_cards(comparison.answers, comparison.question, golden, running=not ended),
            render.passage_list(comparison, ended) if first or ended else gr.skip(),
            render.prompt_view(comparison, k, learned) if first else gr.skip(),
            *(buttons(not ended) if first or ended else (gr.skip(), gr.skip())),
        )

    def begin(self, request: gr.Request) -> tuple[Any, ...]:
        """The visitor asks: end what is still being answered, and show at once that the click was heard.

        Returns the turn's ticket, the status, the tab's own buttons and those of the other tab on the model.
        """
        ticket = self.turns.begin(request.session_hash or "")
        return ticket, render.status("Asking …"), *buttons(True), *buttons(False)

    def begin_here(self, tab: str, request: gr.Request) -> tuple[Any, ...]:
        """As `begin`, for what asks on the main tab alone: the slider of k, Enter, the examples."""
        return self.begin(request) if tab == COMPARE else (0, *(gr.skip(),) * 5)

    def show_model(self) -> tuple[Any, ...]:
        """The header's facts and the slider's end, once the model is loaded."""
        try:
            engine = self.engine
        except SpringError as error:
            return render.status(str(error), kind="error"), gr.skip()
        n = len(engine.tokens)
        return render.facts(engine), gr.skip() if n == EXPECTED_TOKENS else gr.update(maximum=n, value=n)

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """End the visitor's comparison, running or waiting; what is written stays."""
        self.leave(request)
        return render.status("Stopped."), *buttons(False)

    def fail(self) -> tuple[Any, ...]:
        """Something that no handler expected: say so, and let the visitor ask again."""
        line = "Something went wrong with this question; please ask again."
        return render.status(line, kind="error"), *buttons(False)

    def leave(self, request: gr.Request) -> None:
        """The visitor closed the page."""
        self.turns.end(request.session_hash or "")
        self.uploads.end(request.session_hash or "")

    def api_compare(
        self,
        question: str,
        virtual_tokens: float = 50,
        passages: float = 3,
        collection: str = "",
        documents: list[str] | None = None,
        instruction: bool = False,
        max_new_tokens: float = 50,
        temperature: float = 0.0,
    ) -> dict[str, Any]:
        """Answer a question from documents without and with k virtual tokens.

        Args:
            question: what to ask.
            virtual_tokens: k, from 0 to the number of tokens there are (50).
            passages: how many passages are retrieved, 1 to 20.
            collection: name of a sample collection, for example "Orlo station".
            documents: files to ask about instead of a collection (PDF, DOCX, HTML, Markdown, TXT, CSV, JSONL).
            instruction: one more answer, told in words instead of by virtual tokens.
            max_new_tokens: longest answer, 1 to 256 tokens.
            temperature: 0 is greedy.

        Returns:
            question, backbone, precision, passages [{rank, score, document, page, text}], prompt {before, after},
            answers [{virtual_tokens, instruction, text, new_tokens, seconds}].

        """
        try:
            if documents:
                own = Library.build(OWN, read_uploads([Path(file) for file in documents], limits=self.limits))
                if not own.collection.passages:
                    raise PromptError("; ".join(result.line for result in own.collection.results))
            else:
                own = self.library(collection, None)
            settings = comparison_settings((0, virtual_tokens), passages, max_new_tokens, instruction, temperature)
            engine = self.engine
            from spring.comparison import as_dict, compare

            *_, comparison = compare(engine, own.retriever, question_text(question), settings)
        except SpringError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return as_dict(comparison, engine)


def buttons(running: bool) -> tuple[Any, Any]:
    """What the button that asks and the one that stops look like."""
    return gr.update(interactive=not running), gr.update(interactive=running)


def _example_buttons(questions: Sequence[Any]) -> list[Any]:
    shown = [gr.update(value=q.question, visible=True) for q in questions[:EXAMPLES]]
    return shown + [gr.update(visible=False)] * (EXAMPLES - len(shown))
