"""Render a blind test: answers behind letters, and the tally of what was chosen."""

from collections.abc import Mapping, Sequence

from spring.web.html.text import escape
from spring.web.visitors.blind_tests import LETTERS, Count

NOT_SHOWN = '<span class="empty">Not shown.</span>'
EMPTY = '<span class="empty">This answer has no words.</span>'


def cards(texts: Sequence[str], question: str, alone: str = "", running: bool = False, empty: str = EMPTY) -> str:
    """The answers behind letters, all of the same looks; nothing but their texts, and none while one is running.

    `empty` stands in the place of an answer without words.
    """
    said = f'<p class="alone" role="status">{escape(alone)}</p>' if alone else ""
    cursor = '<span class="cursor"></span>'
    items = "".join(
        f'<section class="card" aria-label="Answer {letter}"><h3>{letter}</h3>'
        f'<div class="answer">{cursor if running else escape(text.strip()) or empty}</div></section>'
        for letter, text in zip(LETTERS, texts, strict=False)
    )
    return f'<p class="asked">{escape(question)}</p>{said}<div class="cards n{len(texts)}">{items}</div>'


def verdict(choice: Sequence[str], kinds: Sequence[str]) -> str:
    """One sentence on what was chosen, and what was what."""
    chosen = f"You chose {' and '.join(sorted(choice))}" if choice else "You chose none"
    return f"{chosen}: {', '.join(f'{letter} was {kind}' for letter, kind in zip(LETTERS, kinds, strict=False))}."


def tally(counts: Mapping[str, Count]) -> str:
    """How often each kind was chosen in this visit."""
    if not counts:
        return ""
    ordered = sorted(counts.items(), key=lambda item: -item[1].chosen / item[1].shown)
    items = " · ".join(f"<b>{escape(kind)}</b> {count.chosen} of {count.shown}" for kind, count in ordered)
    return f'<p class="legend" role="status">Chosen blind in this visit: {items}</p>'
