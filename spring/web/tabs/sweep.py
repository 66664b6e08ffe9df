"""The tab Sweep: one question for every k, in one batch."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import pandas as pd

from spring.evaluation.metrics import score
from spring.generation.comparison import Comparison, compare
from spring.web.html import evaluation as evaluation_html
from spring.web.html.comparison import said_first
from spring.web.html.status import progress_line, status
from spring.web.shared import Shared
from spring.web.tabs.form import Form
from spring.web.tabs.streaming import Pace, StreamingAction, buttons
from spring.web.tabs.tab import Tab
from spring.web.tabs.wiring import Updates
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import comparison_settings, question_text

K_VALUES = (0, 1, 2, 5, 10, 20, 30, 50)
BEFORE = "Press the button: the question is answered with every k at once, at temperature 0."


def every_k(count: int) -> tuple[int, ...]:
    """The k that are tried where there are `count` virtual tokens; `count` itself is one of them."""
    return tuple(sorted({k for k in K_VALUES if k <= count} | {count}))


class SweepTab(Tab):
    """Layout and handler. It shares the model's queue with Compare: a visitor has one of the two running."""

    name = "Sweep"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.action = StreamingAction(
            name="sweep",
            shared=shared,
            queue=shared.queue,
            run=self.run,
            removed={"film": "", "plot": gr.update(visible=False)},
        )

    def lay_out(self, form: Form) -> None:
        """Buttons, status, filmstrip and plot."""
        with gr.Row():
            run = gr.Button("Try every k", variant="primary", scale=3, elem_id="sweep")
            stop = gr.Button("Stop", interactive=False, scale=1, elem_id="sweep-stop")
        line = gr.HTML(status(BEFORE), elem_id="sweep-status")
        film = gr.HTML(elem_id="film")
        plot = gr.LinePlot(
            x="k",
            y="F1",
            title="F1 over k, this question",
            y_lim=[0, 1],
            height=240,
            visible=False,
            elem_id="sweep-plot",
        )
        outputs = {"status": line, "film": film, "plot": plot, "run": run, "stop": stop}
        self.action.connect([run.click], inputs=form.inputs, outputs=outputs, removed=form.removed)

    def run(
        self,
        queued: QueuedRequest,
        question: str,
        collection: str,
        passage_count: float,
        expected: str,
        max_new_tokens: float,
        baseline: str,
    ) -> Iterator[Updates]:
        """Stream status, filmstrip and plot."""
        documents, engine = self.shared.documents, self.shared.engine
        golden = documents.expected_answers(question, expected)
        library = documents.library(collection, queued.visitor)
        settings = comparison_settings(every_k(len(engine.tokens)), passage_count, max_new_tokens, baseline)
        last, pace = None, Pace()
        for comparison in compare(engine, library.retriever, question_text(question), settings):
            hidden = {"plot": gr.update(visible=False), **buttons(True)} if last is None else {}
            if pace.is_due():
                yield {**_frames(comparison, golden), **hidden}
            last = comparison
            if queued.over:
                break
        if last is not None:
            ended = self.shared.ending(queued) or evaluation_html.changes_line(last.answers)
            yield {**_frames(last, golden, ended), "plot": f1_plot(last, golden), **buttons(False)}


def _frames(comparison: Comparison, golden: Sequence[str], ended: str = "") -> Updates:
    """Status and filmstrip; `ended` says how it ended."""
    alone, notes = said_first(comparison)
    return {
        "status": status(ended or progress_line(comparison), notes),
        "film": evaluation_html.filmstrip(comparison.answers, comparison.question, golden, not ended, alone),
    }


def f1_plot(comparison: Comparison, golden: Sequence[str]) -> Any:
    """F1 over k of the answers that have ended, where there are golden answers."""
    ended = [answer for answer in comparison.answers if answer.ended and not answer.in_words]
    if not golden or len(ended) < 2:
        return gr.update(visible=False)
    points = {"k": [a.virtual_tokens for a in ended], "F1": [score(a.text, golden).f1 for a in ended]}
    return gr.update(value=pd.DataFrame(points), visible=True)
