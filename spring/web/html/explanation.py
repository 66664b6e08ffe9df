"""Render an attribution, why a model answered as it did, as escaped HTML.

Every bar and every token has its value as a text: colour alone says nothing.
"""

from collections.abc import Sequence

from spring.generation.comparison import Comparison
from spring.generation.types import Answer, AnswerAttribution, Attribution
from spring.rag.retriever import Hit
from spring.rag.terms import new_words
from spring.web.html.text import escape, marked

CLEAR = 1.0  # nats: a drop from which a passage counts as a source
APART = 3.0  # times the second largest drop from which the largest stands alone
SHADES = 5  # of a token's probability
EMPTY = "The model ended this answer at once, without a word: there is nothing to explain."
CAVEAT = """<p class="caveat">A long bar shows where an answer comes from, not that it is true: a wrong passage makes a
long bar too. Where several passages say the same, leaving out one changes little, so a short bar does not show that a
passage was not used.</p>"""
NATS = """<p class="legend">Each bar: how much the log-probability of the answer, fed again word for word, falls when
that passage is left out. 1 nat less makes it 2.7 times less likely, 7 nats about a thousand times.</p>"""
PER_CENT = """<p class="legend">In per cent, after the tokens before it; the stronger the colour, the likelier.</p>"""


def progress_line(attribution: Attribution) -> str:
    """One sentence on what is being computed."""
    passages = attribution.steps - 2
    if attribution.done >= attribution.steps:
        return f"Every answer was read {attribution.steps} times more; nothing new was written."
    if attribution.done < 2:
        return "Reading the answers again …"
    return f"Leaving out passage {attribution.done - 1} of {passages} …"


def bars(attribution: Attribution, comparison: Comparison) -> str:
    """For every passage, how far each answer's log-probability falls without it; and a verdict on each answer."""
    drops = [drop for answer in attribution.answers for drop in answer.drops if drop is not None]
    most = max([CLEAR, *drops])
    sides = _sides(attribution, comparison)
    verdicts = "".join(f"<li><b>{_title(answer)}</b>: {_verdict(side, comparison.hits)}</li>" for answer, side in sides)
    if not comparison.hits:
        return f'<ul class="verdicts">{verdicts}</ul>{CAVEAT}'
    shown = [(place, answer, side) for place, (answer, side) in enumerate(sides) if side.tokens]
    rows = "".join(
        f"<li><header>{_place(hit)}</header>"
        + "".join(_bar(place, answer, side.drops[index], most) for place, answer, side in shown)
        + "</li>"
        for index, hit in enumerate(comparison.hits)
    )
    chart = f'{NATS}<ol class="bars">{rows}</ol>' if shown else ""
    return f'<ul class="verdicts">{verdicts}</ul>{chart}{CAVEAT}'


def _bar(place: int, answer: Answer, drop: float | None, most: float) -> str:
    title = _title(answer)
    if drop is None:
        return f'<div class="bar"><span>{title}</span><span class="track"></span><b>…</b></div>'
    value = f"{_number(drop)} nats"
    width = 100 * max(0.0, drop) / most
    return (
        f'<div class="bar {_kind(answer)}" title="{title}: {value}"><span>{title}</span>'
        f'<span class="track" aria-hidden="true"><i style="width:{width:.1f}%"></i></span><b>{value}</b></div>'
    )


def _sides(attribution: Attribution, comparison: Comparison) -> list[tuple[Answer, AnswerAttribution]]:
    """The answers with their attributions, in the order of their cards."""
    sides = zip(comparison.answers, attribution.answers, strict=True)
    return [side for _, side in sorted(enumerate(sides), key=lambda each: (each[0] > 0, not each[1][0].in_words))]


def _verdict(side: AnswerAttribution, hits: Sequence[Hit]) -> str:
    """A sentence on where one answer comes from."""
    if not side.tokens:
        return EMPTY
    if not hits:
        return "it comes from the model alone, as it was given no passage."
    if None in side.drops:
        return "…"
    ordered = sorted(((drop or 0.0, hit) for drop, hit in zip(side.drops, hits, strict=True)), key=lambda x: -x[0])
    (most, source), second = ordered[0], ordered[1][0] if len(ordered) > 1 else 0.0
    if most < CLEAR:
        return "no passage alone matters: without any one of them it stays about as likely."
    if most < APART * max(second, 0.0):
        leaning = ", ".join(f"[{hit.rank}]" for drop, hit in ordered if drop >= max(CLEAR, most / APART))
        return f"it leans on several passages, {leaning}, most on {_place(source)}."
    return f"it comes from passage {_place(source)}: {_number(most)} nats, where the next has {_number(second)}."


def ribbon(attribution: Attribution, comparison: Comparison) -> str:
    """The answers token by token, one of them shown at a time: how likely each token is under which conditions."""
    sides = _sides(attribution, comparison)
    if not any(side.tokens for _, side in sides):
        return ""
    chosen = max(
        (place for place, (_, side) in enumerate(sides) if side.tokens), key=lambda i: sides[i][0].virtual_tokens
    )
    radios = "".join(
        f'<input type="radio" name="side" id="side{place}" {"checked" if place == chosen else ""}>'
        f'<label for="side{place}">{_title(answer)}</label>'
        for place, (answer, _) in enumerate(sides)
    )
    most_virtual = max(answer.virtual_tokens for answer, _ in sides)
    panels = "".join(_panel(answer, side, most_virtual, comparison) for answer, side in sides)
    return (
        '<fieldset class="ribbon"><legend>How likely is each token of the answer?</legend>'
        f"{PER_CENT}{radios}{panels}</fieldset>"
    )


def _panel(answer: Answer, side: AnswerAttribution, most_virtual: int, comparison: Comparison) -> str:
    if not side.tokens:
        return f'<div class="panel"><p class="empty">{EMPTY}</p></div>'
    asked = "as asked, in words" if answer.baseline not in ("", "plain") else f"as asked, k = {answer.virtual_tokens}"
    rows = [
        (asked, side.own if answer.virtual_tokens not in (0, most_virtual) or "words" in asked else ()),
        (f"with k = {most_virtual}", side.with_tokens),
        ("without virtual tokens", side.without_tokens),
        ("without passages", side.without_passages),
    ]
    lines = "".join(_row(name, side.tokens, values) for name, values in rows if values)
    return f'<div class="panel">{lines}{_sources(answer, comparison)}</div>'


def _row(name: str, tokens: Sequence[str], values: Sequence[float]) -> str:
    cells = "".join(
        f'<li class="p{min(SHADES - 1, int(value * SHADES))}">'
        f"<span>{_token(token)}</span><small>{_percent(value)}</small></li>"
        for token, value in zip(tokens, values, strict=True)
    )
    return f'<div class="row"><h4>{name}</h4><ol aria-label="Tokens {name}, in per cent">{cells}</ol></div>'


def _sources(answer: Answer, comparison: Comparison) -> str:
    """The passages that hold words of the answer, which are marked."""
    words = new_words(answer.text, comparison.question)
    texts = [(hit, marked(hit.passage.titled, set(), words)) for hit in comparison.hits]
    items = "".join(f"<li><header>{_place(hit)}</header><p>{text}</p></li>" for hit, text in texts if "<mark" in text)
    if not items:
        return '<p class="legend">No word of this answer that the question lacks stands in the passages.</p>'
    summary = '<summary class="legend"><mark class="a">words of this answer</mark> in the passages</summary>'
    return f'<details open>{summary}<ol class="passages">{items}</ol></details>'


def _title(answer: Answer) -> str:
    return escape(answer.title)


def _kind(answer: Answer) -> str:
    return "with" if answer.virtual_tokens else "without" if answer.baseline == "plain" else "words"


def _place(hit: Hit) -> str:
    return f"<b>[{hit.rank}]</b> {escape(hit.passage.document)}, page {hit.passage.page}"


def _token(token: str) -> str:
    """A token's text; white space alone is shown by a sign."""
    return escape(token) if token.strip() else {"\n": "⏎", "": "·"}.get(token.strip(" "), "␣")


def _percent(value: float) -> str:
    return "&lt; 1" if value < 0.005 else f"{100 * value:.0f}"


def _number(value: float) -> str:
    rounded = round(value, 1) + 0.0  # no "-0.0"
    return f"{rounded:.1f}".replace("-", "\N{MINUS SIGN}")
