"""Render the answers of a comparison and the prompt behind them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spring.evaluation.metrics import score
from spring.generation.comparison import ALL_LEFT_OUT, NOTHING_FOUND
from spring.generation.interface import Engine
from spring.generation.types import Answer, GenerationRequest
from spring.rag.retriever import Hit
from spring.web.html.text import escape

if TYPE_CHECKING:
    from spring.generation.comparison import Comparison


def facts(engine: Engine) -> str:
    """Which model answers, how precisely, and where its virtual tokens come from."""
    backbone, tokens = engine.backbone, engine.tokens
    learned = escape(tokens.learned) if tokens.learned else '<span class="badge">not learned yet</span>'
    if not tokens.learned:
        learned += ": the answer with them may well be the worse one"
    return (
        f'<p class="facts">Model <b>{escape(backbone.name)}</b> · precision <b>{backbone.precision}</b> '
        f"({escape(backbone.precision_reason)}) · "
        f"virtual tokens <b>{len(tokens)} × {tokens.hidden}</b>, {learned}</p>"
    )


def answer_cards(
    answers: "Sequence[Answer]",
    question: str = "",
    gold: Sequence[str] = (),
    running: bool = False,
    alone: str = "",
) -> str:
    """The question and its answers side by side, each with its meter and, with golden answers, its scores.

    From left to right: without tokens, in words, with tokens, so that each is next to the one it has to beat.
    `alone` is said before them and sets them apart: that they come from the model alone.
    """
    first, *others = enumerate(answers)
    ordered = (first, *sorted(others, key=lambda other: not other[1].in_words))
    cards = [_card(position, answer, gold, running) for position, answer in ordered]
    asked = f'<p class="asked">{escape(question)}</p>' if question else ""
    said, kind = (f'<p class="alone" role="status">{escape(alone)}</p>', " alone") if alone else ("", "")
    return f'{asked}{said}<div class="cards n{len(cards)}{kind}">{"".join(cards)}</div>'


def said_first(comparison: "Comparison", found: Sequence[Hit] = ()) -> tuple[str, list[str]]:
    """What is said before the answers if they come from the model alone, and the notes that are left.

    Args:
        comparison: may have no passages.
        found: those that the visitor chose from, if the question was asked again.

    """
    if not comparison.hits and found:
        return ALL_LEFT_OUT, []
    notes = list(comparison.notes)
    return (NOTHING_FOUND, [note for note in notes if note != NOTHING_FOUND]) if NOTHING_FOUND in notes else ("", notes)


def _card(position: int, answer: "Answer", gold: Sequence[str], running: bool) -> str:
    kind = "words" if answer.in_words else "with" if position else "without"
    if answer.text:
        text = escape(answer.text)
    elif answer.ended:
        text = f'<span class="empty">The model ended its answer at once, without a word{_last_token(answer)}.</span>'
    else:
        text = ""
    live = running and not answer.ended
    name = answer.title
    if kind == "with" and not answer.virtual_tokens:
        name = "with 0 virtual tokens: the same again"
    cursor = '<span class="cursor"></span>' if live else ""
    return (
        f'<section class="card {kind}" aria-label="Answer {name}"><h3>{name}</h3>'
        f'<div class="answer" aria-live="polite" aria-busy="{str(live).lower()}">{text}{cursor}</div>'
        f'<div class="meter">{_meter(answer)}{scores(answer, gold)}</div></section>'
    )


def _last_token(answer: "Answer") -> str:
    """Which token ended an empty answer."""
    if not answer.ended_by:
        return ""
    name = "a line break" if answer.ended_by.isspace() else f"the token <code>{escape(answer.ended_by)}</code>"
    return f": its first token was {name}"


def _meter(answer: "Answer") -> str:
    if not answer.first_token_seconds:
        return "<span>&nbsp;</span>"
    parts = [
        f"{answer.new_tokens} token{'' if answer.new_tokens == 1 else 's'}",
        f"first token {answer.first_token_seconds:.1f} s",
    ]
    if answer.tokens_per_second:
        parts.append(f"{answer.tokens_per_second:.1f} tokens/s")
    if answer.ended == "length":
        parts.append("cut at the maximum")
    return "".join(f"<span>{part}</span>" for part in parts)


def scores(answer: "Answer", gold: Sequence[str]) -> str:
    """Exact match, F1 and "contains it" of an answer that has ended, where there are golden answers.

    The exact match of its first line is shown where it differs: a right answer may go on with something else.
    """
    if not gold or not answer.ended:
        return ""
    agreement = score(answer.text, gold)
    spans = [_verdict("exact match", agreement.exact_match), f'<span class="score">F1 {agreement.f1:.2f}</span>']
    if agreement.first_line_exact_match != agreement.exact_match:
        spans.append(_verdict("first line exact match", agreement.first_line_exact_match))
    return "".join([*spans, _verdict("contains it", agreement.contained)])


def _verdict(name: str, value: float) -> str:
    return f'<span class="score {"right" if value else "wrong"}">{name} {"yes" if value else "no"}</span>'


def prompt_view(comparison: "Comparison", k: int, learned: bool) -> str:
    """What the model saw: passages, virtual tokens and question in three colours."""
    chips = "".join(f"<i>t{i}</i>" for i in range(1, k + 1))
    name = f"{k} virtual token{'' if k == 1 else 's'}{'' if learned else ', not learned yet'}"
    seam = f'<span class="seam" title="{name}">{chips or "<i>no virtual tokens</i>"}</span>'
    answers = zip(comparison.requests, comparison.answers, strict=True)
    in_words = "".join(_words(request, answer, comparison) for request, answer in answers if answer.in_words)
    return (
        '<p class="legend"><span class="before">retrieved passages</span> <span class="seam">virtual tokens</span> '
        '<span class="after">question</span></p>'
        f'<pre class="prompt" tabindex="0" role="region" aria-label="Prompt">'
        f'<span class="before">{escape(comparison.prompt.before)}</span>{seam}'
        f'<span class="after">{escape(comparison.prompt.after)}</span></pre>{in_words}'
    )


def _words(request: "GenerationRequest", answer: "Answer", comparison: "Comparison") -> str:
    """What an answer in words had in the place of the virtual tokens."""
    words = escape(request.prompt.after.removesuffix(comparison.prompt.after))
    if not words:
        return f'<p class="legend">The answer {answer.title} had the prompt without tokens in that template.</p>'
    return (
        f'<p class="legend">The answer {answer.title} had, in the place of the virtual tokens:</p>'
        f'<pre class="prompt"><span class="seam">{words}</span></pre>'
    )
