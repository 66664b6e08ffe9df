"""The handlers of the main tab: thin, they turn what a visitor sets into calls of the package and back into HTML.

The page is served before the model is loaded, so nothing here imports torch before a model is there to be asked.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import gradio as gr

from spring.errors import SpringError
from spring.generation.comparison import Comparison, compare
from spring.generation.types import Engine
from spring.rag.library import Library
from spring.settings import AppSettings
from spring.web.html import comparison as render
from spring.web.visitors.collections import Shelf
from spring.web.visitors.connections import Connections
from spring.web.visitors.request_queue import LOOK_AGAIN, QueuedRequest, RequestQueue
from spring.web.visitors.requests import comparison_settings, question_text, visitor_of
from spring.web.visitors.sessions import Sessions
from spring.web.visitors.uploads import Uploads

PRIVATE: Any = {"api_visibility": "private"}
COMPARE = "Compare"  # the main tab
EXPECTED_TOKENS = 50  # the slider's end until the model's tokens are known
LOADING = "The model is still loading; the answers come right after."
READING_SECONDS = 300.0  # the longest that reading the files of one visitor may take


class Page:
    """The handlers, and what all tabs share: the model and its queue, and the documents."""

    def __init__(
        self,
        engine: "Future[Engine]",
        samples: Sequence[Library],
        settings: AppSettings | None = None,
        presence: Connections | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self._engine = engine
        self.settings = settings or AppSettings.from_environment({})
        self.away = presence.away if presence else lambda visitor: 0.0
        self.turns = self.queue(self.settings.answer_seconds)
        self.reading = self.queue(READING_SECONDS, at_once=self.settings.limits.children)
        megabyte = 2**20
        self.sessions = Sessions(
            self.settings.idle_minutes * 60,
            self.settings.session_megabytes * megabyte,
            self.settings.sessions_megabytes * megabyte,
        )
        self.shelf = Shelf(samples, self.sessions, uploads, self.reading, self.settings.limits)

    def queue(self, longest: float, at_once: int = 1) -> RequestQueue:
        """A queue for visitors, as long as the settings say."""
        return RequestQueue(longest, self.settings.waiting, self.settings.waiting_per_address, at_once, self.away)

    @property
    def engine(self) -> Engine:
        """The model; waits until it is loaded.

        Raises:
            SpringError: it could not be loaded.

        """
        return self._engine.result()

    @property
    def loaded(self) -> bool:
        """Whether the model can answer at once, or never will.

        Raises:
            SpringError: it was lost, and could not be loaded again just now.

        """
        return self._engine.done() and (self._engine.exception() is not None or self._engine.result().ready)

    def ask(
        self,
        ticket: float,
        question: str,
        name: str,
        k: float,
        passages: float,
        told: bool,
        gold: str,
        max_new_tokens: float,
        temperature: float,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Stream status, answers, passages, prompt, and the buttons' states."""
        visitor, _ = visitor_of(request)

        def steps(turn: QueuedRequest) -> Iterator[tuple[Any, ...]]:
            golden = self.shelf.golden(question, gold)
            yield from self.until_ready(turn)
            library = self.shelf.library(name, visitor)
            settings = comparison_settings((0, k), passages, max_new_tokens, told, temperature)
            last = None
            for comparison in compare(self.engine, library.retriever, question_text(question), settings):
                yield self._snapshot(comparison, golden, first=last is None)
                last = comparison
                if turn.over:
                    break
            if last is not None:
                yield self._snapshot(last, golden, ended=self.ending(turn) or render.progress_line(last))

        yield from stream(self.turns, COMPARE, visitor, ticket, 6, steps)

    def until_ready(self, turn: QueuedRequest, turns: RequestQueue | None = None) -> Iterator[tuple[Any]]:
        """Wait in a queue, the comparisons' by default, and for the model; yields what there is to say of it.

        Waiting for the model does not count towards the turn's time.

        Raises:
            BusyError: the queue is full.
            RequestStopped: the turn was over before.
            SpringError: the model could not be loaded.

        """
        for place in (self.turns if turns is None else turns).wait(turn):
            yield (render.status(render.queue_line(place)),)
        if not turn.over and not self.loaded:
            yield (render.status(LOADING),)
        while not turn.over and not self.loaded:
            turn.start()
            time.sleep(LOOK_AGAIN)
        if turn.over:
            raise RequestStopped
        self._engine.result()
        turn.start()

    def ending(self, turn: QueuedRequest) -> str:
        """Why a turn was over before its answer was; empty if it was not."""
        if turn.out_of_time:
            longest = self.settings.answer_seconds
            return f"An answer may take {longest} seconds, and they are over; what is written is kept."
        return "Stopped." if turn.over else ""

    def _snapshot(
        self, comparison: Comparison, golden: Sequence[str], first: bool = False, ended: str = ""
    ) -> tuple[Any, ...]:
        k = comparison.answers[1].virtual_tokens
        learned = bool(self.engine.tokens.learned)
        return (
            render.status(ended or render.progress_line(comparison), comparison.notes),
            render.answer_cards(comparison.answers, comparison.question, golden, running=not ended),
            render.passage_list(comparison, bool(ended)) if first or ended else gr.skip(),
            render.prompt_view(comparison, k, learned) if first else gr.skip(),
            *(buttons(not ended) if first or ended else (gr.skip(), gr.skip())),
        )

    def begin(self, request: gr.Request) -> tuple[Any, ...]:
        """The visitor asks: end what is still being answered, and show at once that the click was heard.

        Returns the turn's ticket, the status, the tab's own buttons and those of the other tab on the model.
        """
        return self.begin_on(COMPARE, request)

    def begin_on(self, tab: str, request: gr.Request) -> tuple[Any, ...]:
        """As `begin`, for a tab that has the model in turns with the main one."""
        ticket = self.turns.begin(*visitor_of(request), tab)
        return ticket, render.status("Asking …"), *buttons(True), *buttons(False)

    def begin_here(self, tab: str, request: gr.Request) -> tuple[Any, ...]:
        """As `begin`, for what asks on the main tab alone: the slider of k, Enter, the examples."""
        return self.begin(request) if tab == COMPARE else (0, *(gr.skip(),) * 5)

    @property
    def known(self) -> bool:
        """Whether the model is loaded, or cannot be."""
        return self._engine.done()

    def show_model(self) -> tuple[Any, ...]:
        """The header's facts and the slider's end, if the model is loaded."""
        if not self.known:
            return gr.skip(), gr.skip()
        try:
            engine = self.engine
        except SpringError as error:
            return render.status(str(error), kind="error"), gr.skip()
        n = len(engine.tokens)
        return render.facts(engine), gr.skip() if n == EXPECTED_TOKENS else gr.update(maximum=n, value=n)

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """End what the visitor asked, running or waiting; what is written stays."""
        self.turns.end(visitor_of(request)[0])
        return render.status("Stopped."), *buttons(False)

    def fail(self) -> tuple[Any, ...]:
        """Something that no handler expected: say so, and let the visitor ask again."""
        line = "Something went wrong with this question; please ask again."
        return render.status(line, kind="error"), *buttons(False)

    def leave(self, request: gr.Request) -> None:
        """The visitor closed the page, or lost the connection."""
        visitor, _ = visitor_of(request)
        self.turns.end(visitor)
        self.reading.end(visitor)
        self.sessions.leave(visitor)


class RequestStopped(SpringError):
    """A turn was over before there was anything to show."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


def stream(
    turns: RequestQueue,
    tab: str,
    visitor: str,
    ticket: float,
    width: int,
    steps: Callable[[QueuedRequest], Iterator[tuple[Any, ...]]],
) -> Iterator[tuple[Any, ...]]:
    """Take a turn and show its steps, until a newer one is shown in its place.

    Args:
        turns: where the turn was begun.
        tab: where it is shown.
        visitor: whose it is.
        ticket: what `begin` returned.
        width: outputs of the handler, the status first, the two buttons last; those that a step leaves out stay.
        steps: what to show; an error is shown as a sentence.

    """
    turn = turns.take(visitor, ticket)
    if turn is None:  # never begun, or ended while it waited in Gradio's queue
        is_ended = ticket and not turns.has(visitor, tab)
        yield _ended(width, "Stopped.") if is_ended else (gr.skip(),) * width
        return
    try:
        for step in steps(turn):
            if turn.replaced:
                return
            yield *step, *(gr.skip(),) * (width - len(step))
    except SpringError as error:
        if not turn.replaced:
            yield _ended(width, str(error), "" if isinstance(error, RequestStopped) else "error")
    finally:
        turns.finish(turn)


def _ended(width: int, line: str, kind: str = "") -> tuple[Any, ...]:
    return render.status(line, kind=kind), *(gr.skip(),) * (width - 3), *buttons(False)


def buttons(running: bool) -> tuple[Any, Any]:
    """What the button that asks and the one that stops look like."""
    return gr.update(interactive=not running), gr.update(interactive=running)
