"""Render the retrieved passages, with their words marked, to be left out or changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spring.rag.retriever import Hit
from spring.rag.terms import new_words
from spring.web.html.text import escape, marked

if TYPE_CHECKING:
    from spring.generation.comparison import Comparison


def passage_list(comparison: "Comparison", done: bool = False, found: Sequence[Hit] = ()) -> str:
    """The retrieved passages with the question's words marked and, once `done`, the answer's.

    Each can be left out or changed. `found` are all that the visitor chose from, if the question was asked again.
    """
    if not (listed := found or comparison.hits):
        return ""
    answer = _marking_answer(comparison) if done else ""
    # What the answer says beyond the question's own words, which it often repeats.
    answer_terms = new_words(answer, comparison.question)
    legend = '<p class="legend"><mark class="q">question\'s words</mark>'
    if answer_terms:
        legend += ' <mark class="a">answer\'s words</mark>'
    used = {hit.rank: (number, hit) for number, hit in enumerate(comparison.hits, start=1)}
    items = "".join(_passage(hit, used.get(hit.rank), answer_terms) for hit in listed)
    return f'{legend}</p><ol class="passages">{items}</ol>'


def _marking_answer(comparison: "Comparison") -> str:
    """The answer whose words are marked: the one with virtual tokens if it says anything."""
    first, *others = comparison.answers
    return next((a.text for a in others if a.text and not a.in_words), first.text)


def _passage(hit: Hit, used: tuple[int, Hit] | None, answer_terms: set[str]) -> str:
    """A passage with its tick box and its button; page.js and what_if.COLLECT know this layout.

    Args:
        hit: as it was found.
        used: its number in the prompt, another than its rank if passages before it were left out, and the passage as
            the model saw it; None if it was left out.
        answer_terms: words to mark.

    """
    number, seen = used or (hit.rank, hit)
    passage, text = hit.passage, seen.passage.titled
    is_edited = text != passage.titled
    renamed = f"<span>[{number}] in the prompt</span>" if number != hit.rank else ""
    original = f'<p class="original" hidden>{escape(passage.titled)}</p>' if is_edited else ""
    section = f'<span class="section">{escape(passage.section)}</span>' if passage.section else ""
    return (
        f'<li data-rank="{hit.rank}" class="{"edited" if is_edited else ""}"><header>'
        f'<label><input type="checkbox" aria-label="Use passage {hit.rank}"{" checked" if used else ""}>'
        f'<b>[{hit.rank}]</b></label> <span class="document">{escape(passage.document)}</span>'
        f"{section}<span>page {passage.page}</span><span>score {hit.score:.2f}</span>"
        f'{renamed}<span class="mark">edited</span>'
        f'<button type="button" class="edit" aria-label="Edit passage {hit.rank}">Edit</button></header>'
        f"<p>{marked(text, set(hit.terms), answer_terms)}</p>{original}</li>"
    )
