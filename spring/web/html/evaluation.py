"""Render the results of the tabs Sweep and Evaluate as escaped HTML."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from spring.evaluation.progress import EvaluationRun
from spring.generation.types import Answer
from spring.web.html.comparison import scores
from spring.web.html.text import escape

if TYPE_CHECKING:  # needs torch, and the page is served before torch is imported
    from spring.evaluation.differences import Difference
    from spring.evaluation.summary import Summary

SHOWN = 3  # reasons that one sentence names
MOST_DIFFERENCES = 500  # rows of a table


def filmstrip(
    answers: Sequence[Answer], question: str, gold: Sequence[str] = (), running: bool = False, alone: str = ""
) -> str:
    """The answers one after the other, in the order of their k, with a mark where one differs from that before.

    `alone` is said before them: that they come from the model alone.
    """
    ordered = sorted(answers, key=lambda answer: not answer.in_words)  # what the tokens have to beat comes first
    changed = changes(answers)
    frames = [
        _frame(answer, None if answer.in_words else changed.get(answer.virtual_tokens), gold, running)
        for answer in ordered
    ]
    said = f'<p class="alone" role="status">{escape(alone)}</p>' if alone else ""
    return f'<p class="asked">{escape(question)}</p>{said}<ol class="film">{"".join(frames)}</ol>'


def _frame(answer: Answer, changed: bool | None, gold: Sequence[str], running: bool) -> str:
    live = running and not answer.ended
    mark = "" if changed is None else f'<span class="mark">{"changes here" if changed else "the same"}</span>'
    text = escape(answer.text)
    if answer.ended and not text:
        text = '<span class="empty">nothing</span>'
    cursor = '<span class="cursor"></span>' if live else ""
    name = answer.title if answer.in_words else f"k = {answer.virtual_tokens}"
    kind = "words" if answer.in_words else "open" if changed is None else "changed" if changed else "same"
    return (
        f'<li class="frame {kind}" aria-label="Answer {name if answer.in_words else f"with {name}"}">'
        f"<header><b>{name}</b>{mark}</header>"
        f'<div class="answer">{text}{cursor}</div><div class="meter">{scores(answer, gold)}</div></li>'
    )


def changes(answers: Sequence[Answer]) -> dict[int, bool]:
    """For each k whether its answer differs from that of the k before, where both have ended."""
    return {
        after.virtual_tokens: after.text.strip() != before.text.strip()
        for before, after in pairwise(answer for answer in answers if not answer.in_words)
        if before.ended and after.ended
    }


def changes_line(answers: Sequence[Answer]) -> str:
    """One sentence on where the answer changes."""
    if not (where := [str(k) for k, changed in changes(answers).items() if changed]):
        return f"The same answer for all {sum(not answer.in_words for answer in answers)} k."
    listed = " and ".join(filter(None, [", ".join(where[:-1]), where[-1]]))
    return f"The answer changes at k = {listed}."


def progress(run: EvaluationRun) -> str:
    """A progress bar, and a line on how far it is."""
    left = run.seconds_left
    when = "the first ones are being answered" if left is None else f"about {left:.0f} seconds left"
    return _bar(run, f"{run.done} of {len(run.questions)} questions · {when}", run.notes)


def result(run: EvaluationRun) -> str:
    """What came of a run, and why it ended where it did."""
    took, of = f"{run.seconds:.0f} seconds", f"{run.done} of {_count(len(run.questions), 'question')}"
    if run.complete:
        line = f"Done: {_count(run.done, 'question')} in {took}."
    elif run.out_of_time:
        line = f"Stopped after {run.limit:.0f} seconds, the limit for one run: {of} are done and kept."
    else:
        line = f"Stopped after {took}: {of} are done and kept."
    notes = run.notes
    if run.failed:
        more = len(run.failed) - SHOWN
        reasons = " ".join(run.failed[:SHOWN]) + (f" And {more} more." if more > 0 else "")
        notes = (*notes, f"{_count(len(run.failed), 'question')} could not be asked: {reasons}")
    return _bar(run, line, notes)


def _bar(run: EvaluationRun, line: str, notes: Sequence[str]) -> str:
    said = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    return (
        f'<progress aria-label="Questions done" max="{len(run.questions)}" value="{run.done}"></progress>'
        f'<div class="status" role="status"><p>{escape(line)}</p>{said}</div>'
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def difference_table(differences: Sequence["Difference"]) -> str:
    """The questions that only one of two answers matches exactly, to be filtered by kind and words; "" if none."""
    if not differences:
        return ""
    shown = differences[:MOST_DIFFERENCES]
    gained = sum(difference.gained for difference in differences)
    kinds = ("all", len(differences), " checked"), ("gained", gained, ""), ("lost", len(differences) - gained, "")
    choices = "".join(
        f'<label><input type="radio" name="difference" value="{kind}"{checked}> {kind} ({n})</label>'
        for kind, n, checked in kinds
    )
    rows = "".join(
        f'<tr class="{d.kind}"><td>{d.kind}</td><th scope="row">{d.name}</th><td>{escape(d.after.question)}</td>'
        f"<td>{escape(' | '.join(d.after.golden_answers))}</td><td>{escape(d.before.answer)}</td>"
        f"<td>{escape(d.after.answer)}</td></tr>"
        for d in shown
    )
    before = next(row_name(d.before.virtual_tokens, d.before.baseline) for d in differences)
    names = ("", "k", "question", "expected", f"answer of {before}", "its answer")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    more = len(differences) - len(shown)
    cut = f'<p class="legend">And {more} more, which are in the file of all answers.</p>' if more else ""
    return (
        f"<fieldset><legend>Right answers gained and lost against {before}</legend>{choices}"
        '<input type="search" placeholder="words of a row" aria-label="Show the rows with these words"></fieldset>'
        f'<div class="scroll" tabindex="0"><table class="scores"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{cut}"
    )


def row_name(k: int, baseline: str) -> str:
    """How a sentence names a row of the table."""
    return f"k = {k}" if baseline in ("", "plain") else f"the words ({baseline})"


def score_table(summaries: Sequence["Summary"]) -> str:
    """One row for each k, and one for each kind of answers in words."""
    names = ("k", "n", "exact match", "F1", "contained", "in the passages", "gained, lost")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{s.name}</th><td>{s.n}</td>'
        f"<td>{s.exact_match:.3f} <small>± {s.standard_errors.exact_match:.3f}</small></td>"
        f"<td>{s.f1:.3f} <small>± {s.standard_errors.f1:.3f}</small></td>"
        f"<td>{s.contained:.3f}</td><td>{s.passages_contain:.3f}</td><td>{_changes(s)}</td></tr>"
        for s in summaries
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="scores"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table></div>"
    )


def _changes(summary: "Summary") -> str:
    if summary.p is None:
        return ""
    return f"{summary.gained}, {summary.lost} <small>p = {summary.p:.2g}</small>"
