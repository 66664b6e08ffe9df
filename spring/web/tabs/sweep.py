"""The tab Sweep: one question for every k, in one batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import pandas as pd

from spring.evaluation.metrics import score
from spring.generation.comparison import Comparison, compare
from spring.web.html import comparison as render
from spring.web.html import evaluation as render_evaluation
from spring.web.tabs.compare import PRIVATE, Page, buttons, stream
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import comparison_settings, question_text, visitor_of

STEPS = (0, 1, 2, 5, 10, 20, 30, 50)
SWEEP = "Sweep"
BEFORE = "Press the button: the question is answered with every k at once, at temperature 0."


def every_k(n: int) -> tuple[int, ...]:
    """The k that are tried where there are n virtual tokens: n itself is one of them."""
    return tuple(sorted({k for k in STEPS if k <= n} | {n}))


class Sweep:
    """The handler. It takes turns with the main tab: a visitor has a sweep or a comparison going on."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def begin(self, request: gr.Request) -> tuple[Any, ...]:
        """As `Page.begin`."""
        return self.page.begin_on(SWEEP, request)

    def run(
        self,
        ticket: float,
        question: str,
        name: str,
        passages: float,
        gold: str,
        max_new_tokens: float,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Stream status, filmstrip, plot, and the buttons' states."""
        page, (visitor, _) = self.page, visitor_of(request)

        def steps(turn: QueuedRequest) -> Iterator[tuple[Any, ...]]:
            golden = page.shelf.golden(question, gold)
            yield from page.until_ready(turn)
            library, engine = page.shelf.library(name, visitor), page.engine
            settings = comparison_settings(every_k(len(engine.tokens)), passages, max_new_tokens)
            last = None
            for comparison in compare(engine, library.retriever, question_text(question), settings):
                yield *_frames(comparison, golden), gr.update(visible=False), *buttons(True)
                last = comparison
                if turn.over:
                    break
            if last is not None:
                ended = page.ending(turn) or render_evaluation.changes_line(last.answers)
                yield *_frames(last, golden, ended), f1_plot(last, golden), *buttons(False)

        yield from stream(page.turns, SWEEP, visitor, ticket, 5, steps)


def _frames(comparison: Comparison, golden: Sequence[str], ended: str = "") -> tuple[str, str]:
    """Status and filmstrip; `ended` says how it ended."""
    film = render_evaluation.filmstrip(comparison.answers, comparison.question, golden, not ended)
    return render.status(ended or render.progress_line(comparison), comparison.notes), film


def f1_plot(comparison: Comparison, golden: Sequence[str]) -> Any:
    """F1 over k of the answers that have ended, where there are golden answers."""
    ended = [answer for answer in comparison.answers if answer.ended]
    if not golden or len(ended) < 2:
        return gr.update(visible=False)
    points = {"k": [a.virtual_tokens for a in ended], "F1": [score(a.text, golden).f1 for a in ended]}
    return gr.update(value=pd.DataFrame(points), visible=True)


def add_sweep_tab(page: Page, form: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    """Lay out the tab and wire it.

    Args:
        page: the handlers of the main tab.
        form: question, collection, passages, expected answer, longest answer.
        others: the buttons of the main tab.

    Returns:
        The tab's own buttons.

    """
    sweep = Sweep(page)
    with gr.Row():
        run = gr.Button("Try every k", variant="primary", scale=3, elem_id="sweep")
        stop = gr.Button("Stop", interactive=False, scale=1, elem_id="sweep-stop")
    status = gr.HTML(render.status(BEFORE), elem_id="sweep-status")
    film = gr.HTML(elem_id="film")
    plot = gr.LinePlot(
        x="k", y="F1", title="F1 over k, this question", y_lim=[0, 1], height=240, visible=False, elem_id="sweep-plot"
    )
    ticket = gr.Number(0, visible=False)
    begun = run.click(
        sweep.begin,
        outputs=[ticket, status, run, stop, *others],
        queue=False,
        show_progress="hidden",
        trigger_mode="multiple",
        **PRIVATE,
    )
    begun.then(
        sweep.run,
        inputs=[ticket, *form],
        outputs=[status, film, plot, run, stop],
        concurrency_limit=None,  # the page has a queue of its own
        trigger_mode="multiple",
        show_progress="minimal",
        show_progress_on=[status],
        **PRIVATE,
    ).failure(page.fail, outputs=[status, run, stop], queue=False, **PRIVATE)
    stop.click(page.stop, outputs=[status, run, stop], queue=False, show_progress="hidden", **PRIVATE)
    return [run, stop]
