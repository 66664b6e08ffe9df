"""The handlers of the main tab: thin, they turn what a visitor sets into calls of the package and back into HTML.

The page is served before the model is loaded, so nothing here imports torch before a model is there to be asked.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import gradio as gr

from spring import render
from spring.answers import Answerer
from spring.comparison import Comparison, compare
from spring.errors import ModelError, SpringError
from spring.inputs import comparison_settings, question_text, visitor_of
from spring.presence import Presence
from spring.samples import Library
from spring.sessions import Sessions
from spring.settings import AppSettings
from spring.shelf import Shelf
from spring.turns import LOOK_AGAIN, Turn, Turns
from spring.uploads import Uploads

PRIVATE: Any = {"api_visibility": "private"}
COMPARE = "Compare"  # the main tab
EXPECTED_TOKENS = 50  # the slider's end until the model's tokens are known
LOADING = "The model is still loading; the answers come right after."
READING_SECONDS = 300.0  # the longest that reading the files of one visitor may take


class Page:
    """The handlers, and what all tabs share: the model and its queue, and the documents."""

    def __init__(
        self,
        engine: "Future[Answerer]",
        samples: Sequence[Library],
        limits: AppSettings | None = None,
        presence: Presence | None = None,
        uploads: Uploads | None = None,
    ) -> None:
        self._engine = engine
        self.limits = limits or AppSettings.from_environment({})
        self.away = presence.away if presence else lambda visitor: 0.0
        self.turns = self.queue(self.limits.answer_seconds)
        self.reading = self.queue(READING_SECONDS, at_once=self.limits.limits.children)
        megabyte = 2**20
        self.sessions = Sessions(
            self.limits.idle_minutes * 60,
            self.limits.session_megabytes * megabyte,
            self.limits.sessions_megabytes * megabyte,
        )
        self.shelf = Shelf(samples, self.sessions, uploads, self.reading, self.limits.limits)

    def queue(self, longest: float, at_once: int = 1) -> Turns:
        """A queue for visitors, as long as the limits say."""
        return Turns(longest, self.limits.waiting, self.limits.waiting_per_address, at_once, self.away)

    @property
    def engine(self) -> Answerer:
        """The model; waits until it is loaded.

        Raises:
            SpringError: it could not be loaded.

        """
        return self._engine.result()

    @property
    def loaded(self) -> bool:
        """Whether the model can answer at once."""
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
        turn = self.turns.take(visitor, ticket)
        if turn is None:  # never begun, or ended while it waited in the queue
            yield render.status("Stopped.") if ticket else gr.skip(), *(gr.skip(),) * 5
            return
        golden = self.shelf.golden(question, gold)
        try:
            for status in self.until_ready(turn):
                yield status, *(gr.skip(),) * 5
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
        except SpringError as error:
            yield render.status(str(error), kind="error"), gr.skip(), gr.skip(), gr.skip(), *buttons(False)
        finally:
            self.turns.finish(turn)

    def until_ready(self, turn: Turn) -> Iterator[str]:
        """Wait in the queue and for the model; yields what there is to say of it.

        Raises:
            BusyError: the queue is full.
            SpringError: the model could not be loaded.

        """
        for place in self.turns.wait(turn):
            yield render.status(render.queue_line(place))
        yield from self.until_loaded(turn)

    def until_loaded(self, turn: Turn) -> Iterator[str]:
        """Wait for the model, which does not count towards the turn's time, or until the turn is over.

        Raises:
            SpringError: the model could not be loaded, or the turn was over before.

        """
        if not self.loaded:
            yield render.status(LOADING)
        while not self.loaded and not turn.over:
            turn.start()
            time.sleep(LOOK_AGAIN)
        if not self.loaded:
            raise ModelError("Stopped before the model was loaded.")
        self._engine.result()
        if not turn.over:
            turn.start()

    def ending(self, turn: Turn) -> str:
        """Why a turn was over before its answer was; empty if it was not."""
        if turn.out_of_time:
            return (
                f"An answer may take {self.limits.answer_seconds} seconds, and they are over; what is written is kept."
            )
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
        ticket = self.turns.begin(*visitor_of(request))
        return ticket, render.status("Asking …"), *buttons(True), *buttons(False)

    def begin_here(self, tab: str, request: gr.Request) -> tuple[Any, ...]:
        """As `begin`, for what asks on the main tab alone: the slider of k, Enter, the examples."""
        return self.begin(request) if tab == COMPARE else (0, *(gr.skip(),) * 5)

    async def until_known(self) -> None:
        """Wait until the model is loaded, or cannot be; no thread is held meanwhile, as many pages may be open."""
        while not self._engine.done():
            await asyncio.sleep(LOOK_AGAIN)

    async def show_model(self) -> tuple[Any, ...]:
        """The header's facts and the slider's end, once the model is loaded."""
        await self.until_known()
        try:
            engine = self.engine
        except SpringError as error:
            return render.status(str(error), kind="error"), gr.skip()
        n = len(engine.tokens)
        return render.facts(engine), gr.skip() if n == EXPECTED_TOKENS else gr.update(maximum=n, value=n)

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """End the visitor's comparison or reading, running or waiting; what is written stays."""
        visitor, _ = visitor_of(request)
        self.turns.end(visitor)
        self.reading.end(visitor)
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


def buttons(running: bool) -> tuple[Any, Any]:
    """What the button that asks and the one that stops look like."""
    return gr.update(interactive=not running), gr.update(interactive=running)
