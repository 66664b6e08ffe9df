"""The report of an evaluation: one HTML page that needs no other file, no network and no script.

Everything in it that comes from files or from the model is escaped by the template; the curve is matplotlib's SVG.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from spring.data.questions import Question
from spring.data.types import Passage
from spring.errors import DocumentError, PromptError
from spring.evaluation.differences import Difference, differences
from spring.evaluation.drawing import PIP_INSTALL, drawing
from spring.evaluation.results import as_frame
from spring.evaluation.runner import Row, holds_answer
from spring.evaluation.summary import PLAIN, Group, Summary, group_name, macro_average, summarize

MACRO = "All sets, each of which counts alike"
MOST_CHANGES = 500  # of one row of the table, in each direction
COLOURS = {"exact_match": ("exact match", "#d97706"), "f1": ("F1", "#10b981")}


@dataclass(frozen=True, slots=True)
class ReportedSet:
    """The rows of a set of questions, and the passages that each question is asked with."""

    rows: Sequence[Row]
    questions: Sequence[Question]
    passages: Callable[[Question], Sequence[Passage]]


def require_report(path: Path) -> None:
    """Refuse at the beginning a report that could not be written at the end.

    Raises:
        PromptError: matplotlib is missing.
        DocumentError: the place cannot be written to.

    """
    if find_spec("matplotlib") is None:
        raise PromptError(f"--report draws with matplotlib, which is not installed: run {PIP_INSTALL}.")
    try:
        with path.open("a"):
            pass
    except OSError as error:
        raise DocumentError(f"{path} cannot be written ({error.strerror}).") from error


def report(title: str, facts: Mapping[str, str], sets: Mapping[str, ReportedSet], against: Group = PLAIN) -> str:
    """The page.

    Args:
        title: its heading.
        facts: what the run was, as names and values.
        sets: the sets of questions by name; with several, their macro average comes first.
        against: the k and baseline that all others are compared with.

    """
    parts = [
        _part(f"set{place}", name, given, summarize(given.rows, against), against)
        for place, (name, given) in enumerate(sets.items(), 1)
    ]
    if len(sets) > 1:
        mean = macro_average({name: given.rows for name, given in sets.items()}, against)
        parts.insert(0, {"name": MACRO, **_figures(mean), "lists": [], "asked": []})
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    )
    named = group_name(against)
    return template.render(
        title=title, facts=facts, parts=parts, against=f"k = {named}" if named.isdecimal() else named
    )


def _figures(summaries: Sequence[Summary]) -> dict[str, Any]:
    table = as_frame(summaries).to_html(index=False, border=0, classes="figures", escape=True)
    return {"curve": Markup(curve(summaries)), "table": Markup(table)}


def _part(prefix: str, name: str, given: ReportedSet, summaries: Sequence[Summary], against: Group) -> dict[str, Any]:
    questions = {question.id: question for question in given.questions}
    places = {id: f"{prefix}-{place}" for place, id in enumerate(questions, 1)}
    lists, asked = [], dict[str, Question]()
    for (row, kind), changes in groupby(
        differences(given.rows, against), key=lambda change: (change.name, change.kind)
    ):
        every = [*changes]
        shown = every[:MOST_CHANGES]
        asked |= {change.after.id: questions[change.after.id] for change in shown}
        label = f"k = {row}" if row.isdecimal() else row
        lists.append({"name": label, "kind": kind, "count": len(every), "shown": [_change(c, places) for c in shown]})
    seen = [
        {
            "place": places[question.id],
            "id": question.id,
            "question": question.question,
            "passages": [(p.titled, holds_answer(p, question)) for p in given.passages(question)],
        }
        for question in asked.values()
    ]
    return {"name": name, **_figures(summaries), "lists": lists, "asked": seen}


def _change(difference: Difference, places: Mapping[str, str]) -> dict[str, Any]:
    return {"before": difference.before, "after": difference.after, "place": places[difference.after.id]}


def curve(summaries: Sequence[Summary]) -> str:
    """Exact match and F1 over k with their standard errors, and the best answers in words as a level, as SVG."""
    ks = [summary for summary in summaries if summary.baseline in ("", "plain")]
    words = [summary for summary in summaries if summary.baseline not in ("", "plain")]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for metric, (label, colour) in COLOURS.items():
            means = [getattr(summary, metric) for summary in ks]
            errors = [getattr(summary.standard_errors, metric) for summary in ks]
            axes.errorbar(
                [s.virtual_tokens for s in ks], means, errors, color=colour, marker="o", capsize=3, label=label
            )
            if words:
                best = max(words, key=lambda summary: float(getattr(summary, metric)))
                level = float(getattr(best, metric))
                axes.axhline(level, color=colour, linestyle="--", label=f"{label}, {best.name}")
        axes.set(xlabel="k, virtual tokens", ylim=(0, 1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)

    return drawing((7, 3), "Scores over k", draw)
