"""The tab Evaluate: the questions of a file, or of a sample collection, for several k."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from spring.data.question_rows import QUESTION_TYPES
from spring.data.questions import NO_ANSWER, QuestionColumns, QuestionSet
from spring.data.sandbox.files import parse_questions
from spring.errors import DocumentError, PromptError, SpringError
from spring.evaluation.differences import differences
from spring.evaluation.progress import EvaluationRun, first_questions, without_too_long
from spring.evaluation.results import safe_csv
from spring.evaluation.runner import Row, evaluate, usual_ks
from spring.evaluation.summary import PLAIN, Group, Summary, grouped, summarize
from spring.generation.comparison import ComparisonSettings
from spring.rag.retriever import Retriever
from spring.web.html import evaluation as evaluation_html
from spring.web.shared import Shared
from spring.web.tabs.form import IN_WORDS, Form
from spring.web.tabs.streaming import StreamingAction, buttons
from spring.web.tabs.sweep import every_k
from spring.web.tabs.tab import Tab
from spring.web.tabs.wiring import Updates
from spring.web.visitors.request_queue import QueuedRequest
from spring.web.visitors.requests import (
    EXPECTED_TOKENS,
    NO_BASELINE,
    baseline_names,
    comparison_settings,
    whole_numbers,
    within,
)

USUAL = (0, 1, 5, 20, 50)
BATCH = 2  # questions at once: the table is live, and other visitors' requests come in between
SLACK = 60.0  # seconds: a run ends by its own clock, which starts when the model is there
SHOW_EVERY = 1.0  # seconds between two looks at the clock
COLOURS = {"exact match": "#d97706", "F1": "#10b981"}
INTRODUCTION = """<p class="legend">Asks the questions of a file about the chosen documents or, without a file,
those of the chosen sample collection, with the numbers of passages and tokens set in the form.
One run takes at most <b>{questions} questions</b> and <b>{seconds} seconds</b>; what is done until then is kept.</p>"""
FILE_LEGEND = """<p class="legend">JSON as of FlashRAG, SPRING, SQuAD, NQ-open, TriviaQA, PopQA or Hugging Face,
or a table with the columns question and answer; questions that bring their passages need no documents.</p>"""
SCORE_NO_ANSWER = f'Ask questions without an answer as well (SQuAD 2.0); "{NO_ANSWER}" is then right'


class EvaluateTab(Tab):
    """Layout and handlers. Evaluations have a queue of their own, so that a visitor may compare meanwhile."""

    name = "Evaluate"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.settings = shared.settings
        self.action = StreamingAction(
            name="evaluate",
            shared=shared,
            queue=shared.new_queue(shared.settings.evaluation_seconds + SLACK),
            run=self.run,
            starting="Starting …",
            failure="Something went wrong with this evaluation; please try again.",
            cleared={"download": gr.update(value=None, interactive=False), "differences": ""},
            removed={**_scores(()), "download": _download(()), "differences": ""},
        )

    # --- layout ---

    def lay_out(self, form: Form) -> None:
        """Question file, k, words, number of questions; status, table, plot, differences and download."""
        limits = INTRODUCTION.format(
            questions=self.settings.evaluation_questions, seconds=self.settings.evaluation_seconds
        )
        gr.HTML(limits, elem_id="limits")
        inputs = self._inputs()
        form.when_loaded[inputs["ks"]] = k_choices
        with gr.Row():
            run = gr.Button("Evaluate", variant="primary", scale=3, elem_id="evaluate")
            stop = gr.Button("Stop", interactive=False, scale=1, elem_id="evaluate-stop")
        outputs = {
            "status": gr.HTML(elem_id="evaluate-status"),
            "table": gr.HTML(elem_id="scores"),
            "plot": _plot(),
            "differences": gr.HTML(elem_id="differences"),
            "download": gr.DownloadButton("Download all answers (CSV)", interactive=False, elem_id="download"),
            "run": run,
            "stop": stop,
        }
        self.action.connect([run.click], inputs=form.inputs | inputs, outputs=outputs, removed=form.removed)

    def _inputs(self) -> dict[str, Any]:
        with gr.Accordion("Upload a question file", open=False):
            gr.HTML(FILE_LEGEND)
            file = gr.File(file_types=list(QUESTION_TYPES), height=120, label="Questions", elem_id="questions")
            no_answer = gr.Checkbox(label=SCORE_NO_ANSWER, elem_id="no-answer")
        ks = gr.CheckboxGroup(
            every_k(EXPECTED_TOKENS), value=[*usual_ks(EXPECTED_TOKENS, USUAL)], label="k to evaluate", elem_id="ks"
        )
        words = gr.CheckboxGroup(
            [(name, value) for name, value in IN_WORDS if value != NO_BASELINE],
            label="In words, without tokens, besides that of the form",
            elem_id="evaluate-words",
        )
        most = self.settings.evaluation_questions
        limit = gr.Slider(1, most, value=min(20, most), step=1, label="Questions asked", elem_id="limit")
        return {"questions": file, "no_answer": no_answer, "ks": ks, "words": words, "limit": limit}

    # --- handlers ---

    def run(
        self,
        queued: QueuedRequest,
        questions: str | None,
        ks: Sequence[float],
        limit: float,
        collection: str,
        passage_count: float,
        max_new_tokens: float,
        baseline: str,
        words: object = (),
        no_answer: object = False,
    ) -> Iterator[Updates]:
        """Stream status, table, plot, differences and download."""
        settings = comparison_settings(sorted({*whole_numbers(*(ks or ()))}), passage_count, max_new_tokens, baseline)
        settings = replace(settings, baselines=(*settings.baselines, *baseline_names(words)))
        if not settings.virtual_tokens:
            raise PromptError("Choose at least one k.")
        given = self._questions(questions, no_answer is True, collection, queued)
        run, retriever = self._prepare(given, whole_numbers(limit)[0], collection, queued.visitor)
        yield from self._follow(run, retriever, settings, queued)

    def _questions(self, file: str | None, no_answer: bool, collection: str, queued: QueuedRequest) -> QuestionSet:
        """The questions of a file, or of a collection; `no_answer`: those without an answer as well."""
        if file:
            sessions, every = self.shared.sessions, f"{file} {NO_ANSWER}"
            kept = sessions.questions(queued.visitor, every) if no_answer else None
            given = kept or sessions.questions(queued.visitor, file)  # all have an answer: one set is kept for both
            if given is None:
                both = self._read(file, queued)
                sessions.keep_questions(queued.visitor, both, queued.address)
                given = both.get(every, both[file]) if no_answer else both[file]
            return given
        library = self.shared.documents.library(collection, queued.visitor)
        if not library.questions:
            raise PromptError("Your documents bring no questions: upload a question file.")
        return QuestionSet(library.questions)

    def _read(self, file: str, queued: QueuedRequest) -> dict[str, QuestionSet]:
        """The questions that have an answer, and all if there are others; the file is then removed from the disk."""
        if not os.path.isfile(file):
            raise DocumentError("The question file is no longer here: please upload it again.")
        limits, columns = self.settings.limits, QuestionColumns(no_answer=NO_ANSWER)
        try:
            read = {file: parse_questions(Path(file), limits, lambda: queued.over)}
            if read[file].unanswerable:
                read[f"{file} {NO_ANSWER}"] = parse_questions(Path(file), limits, lambda: queued.over, columns)
        finally:
            self.shared.documents.discard([file])
        return read

    def _prepare(
        self, given: QuestionSet, limit: int, collection: str, visitor: str
    ) -> tuple[EvaluationRun, Retriever | None]:
        """What is asked, and where its passages are found; no retriever if the questions bring their passages."""
        questions, notes = first_questions(given.questions, limit, self.settings.evaluation_questions)
        needs_passages = any(not question.passages for question in questions)
        retriever = self.shared.documents.library(collection, visitor).retriever if needs_passages else None
        if given.note:
            notes = (*notes, given.note)
        return EvaluationRun(questions, self.settings.evaluation_seconds, notes), retriever

    def _follow(
        self, run: EvaluationRun, retriever: Retriever | None, settings: ComparisonSettings, queued: QueuedRequest
    ) -> Iterator[Updates]:
        """Evaluate until all is answered, the visitor stops, the time is over, or the model fails."""
        run.started = shown = time.monotonic()  # waiting for the model does not count
        questions, run.failed = without_too_long(run.questions)
        yield {"status": evaluation_html.progress(run), **_scores(()), **buttons(True)}
        try:
            engine = self.shared.engine
            settings = within(settings, len(engine.tokens))
            for done in evaluate(engine, questions, retriever, settings, BATCH):
                has_rows = run.add(done)
                if run.complete or queued.over or run.out_of_time:
                    break
                if has_rows or time.monotonic() - shown > SHOW_EVERY:
                    shown = time.monotonic()
                    yield {"status": evaluation_html.progress(run), **(_scores(run.rows) if has_rows else {})}
        except SpringError as error:  # of the model, or of a GPU that is lent for a limited time
            if not run.rows:
                raise
            run.notes = (*run.notes, str(error))
        yield {
            "status": evaluation_html.result(run),
            "download": _download(run.rows),
            "differences": evaluation_html.difference_table(differences(run.rows, _first(run.rows))),
            **_scores(run.rows),
            **buttons(False),
        }


def k_choices(count: int) -> Any:
    """The k to choose from where there are `count` virtual tokens."""
    return gr.update(choices=every_k(count), value=[*usual_ks(count, USUAL)])


def _plot() -> gr.LinePlot:
    return gr.LinePlot(
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


def _scores(rows: Sequence[Row]) -> Updates:
    """Table and plot of the rows so far."""
    summaries = summarize(rows, _first(rows))
    if not summaries:
        return {"table": "", "plot": gr.update(visible=False)}
    line = [summary for summary in summaries if summary.baseline in ("", "plain")]  # words have no k
    many = len(line) > 1  # one k is no line
    plot = gr.update(value=_frame(line), visible=True) if many else gr.update(visible=False)
    return {"table": evaluation_html.score_table(summaries), "plot": plot}


def _first(rows: Sequence[Row]) -> Group:
    """The row of the table that the others are compared with: k = 0, or the smallest k that was asked for."""
    return next(iter(grouped(rows)), PLAIN)


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
