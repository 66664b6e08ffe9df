"""The tab Evaluate: the questions of a file, or of a sample collection, for several k."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from spring.data.questions import QUESTION_TYPES, QuestionSet
from spring.data.sandbox.files import parse_questions
from spring.errors import DocumentError, PromptError, SpringError
from spring.evaluation.progress import EvaluationRun, first_questions, without_too_long
from spring.evaluation.results import safe_csv
from spring.evaluation.runner import Row, evaluate, usual_ks
from spring.evaluation.summary import Summary, summarize
from spring.generation.comparison import ComparisonSettings
from spring.rag.retriever import Retriever
from spring.web.html import comparison as render
from spring.web.html import evaluation as render_evaluation
from spring.web.tabs.compare import EXPECTED_TOKENS, PRIVATE, Page, buttons, stream
from spring.web.tabs.sweep import every_k
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import comparison_settings, visitor_of, whole_numbers

EVALUATE = "Evaluate"
USUAL = (0, 1, 5, 20, 50)
BATCH = 2  # questions at once: the table is live, and other visitors get their turns
SLACK = 60.0  # seconds: a run ends by its own clock, which starts when the model is there
SHOW_EVERY = 1.0  # seconds between two looks at the clock
COLOURS = {"exact match": "#d97706", "F1": "#10b981"}
INTRODUCTION = """<p class="legend">Asks the questions of a file about the chosen documents or, without a file,
those that the chosen sample collection brings; the numbers of passages and of tokens are those set for a single
question. One run takes at most <b>{questions} questions</b> and <b>{seconds} seconds</b>;
what is done until then is kept.</p>"""
FILE_LEGEND = """<p class="legend">JSON Lines as FlashRAG or SPRING write them, or CSV with the columns question and
answer; questions that bring their passages need no documents.</p>"""


class Evaluate:
    """The handlers. A visitor may compare meanwhile: evaluations take turns of their own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.settings = page.settings
        self.turns = page.queue(page.settings.evaluation_seconds + SLACK)

    def begin(self, request: gr.Request) -> tuple[Any, ...]:
        """The visitor asks: ticket, status, the buttons, and no download of the run before."""
        ticket = self.turns.begin(*visitor_of(request), EVALUATE)
        return ticket, render.status("Starting …"), *buttons(True), gr.update(value=None, interactive=False)

    def run(
        self,
        ticket: float,
        file: str | None,
        ks: Sequence[float],
        limit: float,
        name: str,
        passages: float,
        max_new_tokens: float,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        """Stream status, table, plot, download, and the buttons' states."""
        visitor, address = visitor_of(request)

        def steps(turn: QueuedRequest) -> Iterator[tuple[Any, ...]]:
            yield from self.page.until_ready(turn, self.turns)
            settings = comparison_settings(sorted({*whole_numbers(*(ks or ()))}), passages, max_new_tokens)
            if not settings.virtual_tokens:
                raise PromptError("Choose at least one k.")
            given = self._questions(file, name, visitor, address, turn)
            run, retriever = self._prepare(given, whole_numbers(limit)[0], name, visitor)
            yield from self._follow(run, retriever, settings, turn)

        yield from stream(self.turns, EVALUATE, visitor, ticket, 6, steps)

    def _prepare(
        self, given: QuestionSet, limit: int, name: str, visitor: str
    ) -> tuple[EvaluationRun, Retriever | None]:
        """What is asked, and where its passages are found; nowhere if the questions bring them."""
        questions, notes = first_questions(given.questions, limit, self.settings.evaluation_questions)
        bare = any(not question.passages for question in questions)
        retriever = self.page.shelf.library(name, visitor).retriever if bare else None
        if given.note:
            notes = (*notes, given.note)
        return EvaluationRun(questions, self.settings.evaluation_seconds, notes), retriever

    def _questions(self, file: str | None, name: str, visitor: str, address: str, turn: QueuedRequest) -> QuestionSet:
        """The questions of a file, which is read once and then gone from the disk, or of a collection."""
        sessions, shelf = self.page.sessions, self.page.shelf
        if file:
            given = sessions.questions(visitor, file)
            if given is None:
                if not Path(file).is_file():
                    raise DocumentError("The question file is no longer here: please upload it again.")
                try:
                    given = parse_questions(Path(file), self.settings.limits, lambda: turn.over)
                finally:
                    shelf.discard([file])
                sessions.keep_questions(visitor, file, given, address)
            return given
        library = shelf.library(name, visitor)
        if not library.questions:
            raise PromptError("Your documents bring no questions: upload a question file.")
        return QuestionSet(library.questions)

    def _follow(
        self, run: EvaluationRun, retriever: Retriever | None, settings: ComparisonSettings, turn: QueuedRequest
    ) -> Iterator[tuple[Any, ...]]:
        """Evaluate until there is no question left, the visitor stops, the time is over, or the model fails."""
        engine = self.page.engine
        run.started = shown = time.monotonic()  # waiting for the model does not count
        questions, run.failed = without_too_long(run.questions)
        yield render_evaluation.progress(run), "", gr.update(visible=False), gr.skip(), *buttons(True)
        try:
            for done in evaluate(engine, questions, retriever, settings, BATCH):
                news = run.add(done)
                if run.complete or turn.over or run.out_of_time:
                    break
                if news or time.monotonic() - shown > SHOW_EVERY:
                    shown = time.monotonic()
                    scores = _scores(run.rows) if news else (gr.skip(), gr.skip())
                    yield render_evaluation.progress(run), *scores
        except SpringError as error:  # of the model, or of a GPU that is lent for a while
            if not run.rows:
                raise
            run.notes = (*run.notes, str(error))
        yield render_evaluation.result(run), *_scores(run.rows), _download(run.rows), *buttons(False)

    def stop(self, request: gr.Request) -> tuple[Any, ...]:
        """End the visitor's evaluation, running or waiting; what is done stays."""
        self.turns.end(visitor_of(request)[0])
        return render.status("Stopped."), *buttons(False)

    def leave(self, request: gr.Request) -> None:
        """The visitor closed the page."""
        self.turns.end(visitor_of(request)[0])

    def fail(self) -> tuple[Any, ...]:
        """Something that no handler expected: say so, and let the visitor try again."""
        return render.status("Something went wrong with this evaluation; please try again.", kind="error"), *buttons(
            False
        )

    def show_choices(self) -> Any:
        """The k to choose from, if the model's tokens are known."""
        if not self.page.known:
            return gr.skip()
        try:
            n = len(self.page.engine.tokens)
        except SpringError:  # the main tab says why
            return gr.skip()
        return gr.skip() if n == EXPECTED_TOKENS else gr.update(choices=every_k(n), value=[*usual_ks(n, USUAL)])


def _scores(rows: Sequence[Row]) -> tuple[Any, Any]:
    """Table and plot of the rows so far."""
    summaries = summarize(rows)
    if not summaries:
        return "", gr.update(visible=False)
    many = len(summaries) > 1  # one k is no line
    plot = gr.update(value=_frame(summaries), visible=True) if many else gr.update(visible=False)
    return render_evaluation.score_table(summaries), plot


def _frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    points = [(s.virtual_tokens, s.exact_match, "exact match") for s in summaries]
    points += [(s.virtual_tokens, s.f1, "F1") for s in summaries]
    return pd.DataFrame(points, columns=["k", "score", "metric"])


def _download(rows: Sequence[Row]) -> Any:
    """The rows as a file of Gradio's own cache, which `Uploads.tidy` removes."""
    if not rows:
        return gr.update(value=None, interactive=False)
    data = safe_csv(rows).encode("utf-8-sig")  # without the mark, spreadsheets take it for another encoding
    return gr.update(value=save_bytes_to_cache(data, "evaluation.csv", get_upload_folder()), interactive=True)


def add_evaluate_tab(page: Page, demo: gr.Blocks, form: Sequence[Any]) -> tuple[Evaluate, gr.CheckboxGroup]:
    """Lay out the tab and wire it.

    Args:
        page: the handlers of the main tab.
        demo: the page that the tab is on.
        form: collection, passages, longest answer.

    Returns:
        The handlers, and the k to choose from, which `Evaluate.show_choices` fills in.

    """
    evaluate, settings = Evaluate(page), page.settings
    most = settings.evaluation_questions
    gr.HTML(INTRODUCTION.format(questions=most, seconds=settings.evaluation_seconds), elem_id="limits")
    with gr.Accordion("Upload a question file", open=False):
        gr.HTML(FILE_LEGEND)
        file = gr.File(file_types=list(QUESTION_TYPES), height=120, label="Questions", elem_id="questions")
    ks = gr.CheckboxGroup(
        every_k(EXPECTED_TOKENS), value=[*usual_ks(EXPECTED_TOKENS, USUAL)], label="k to evaluate", elem_id="ks"
    )
    limit = gr.Slider(1, most, value=min(20, most), step=1, label="Questions asked", elem_id="limit")
    with gr.Row():
        run = gr.Button("Evaluate", variant="primary", scale=3, elem_id="evaluate")
        stop = gr.Button("Stop", interactive=False, scale=1, elem_id="evaluate-stop")
    status = gr.HTML(elem_id="evaluate-status")
    table = gr.HTML(elem_id="scores")
    plot = gr.LinePlot(
        x="k",
        y="score",
        color="metric",
        color_map=COLOURS,
        color_title=" ",
        title="Exact match and F1 over k",
        y_lim=[0, 1],
        height=260,
        visible=False,
        elem_id="evaluate-plot",
    )
    download = gr.DownloadButton("Download all answers (CSV)", interactive=False, elem_id="download")
    ticket = gr.Number(0, visible=False)

    begun = run.click(
        evaluate.begin,
        outputs=[ticket, status, run, stop, download],
        queue=False,
        show_progress="hidden",
        trigger_mode="multiple",
        **PRIVATE,
    )
    begun.then(
        evaluate.run,
        inputs=[ticket, file, ks, limit, *form],
        outputs=[status, table, plot, download, run, stop],
        concurrency_limit=None,  # the page has a queue of its own, and not the comparisons': these go on meanwhile
        trigger_mode="multiple",
        show_progress="minimal",
        show_progress_on=[status],
        **PRIVATE,
    ).failure(evaluate.fail, outputs=[status, run, stop], queue=False, **PRIVATE)
    stop.click(evaluate.stop, outputs=[status, run, stop], queue=False, show_progress="hidden", **PRIVATE)
    demo.unload(evaluate.leave)
    return evaluate, ks
