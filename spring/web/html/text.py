"""Escape text, and mark words in it."""

from html import escape as _escape

from spring.rag.terms import marked_spans


def escape(text: str) -> str:
    """Text as HTML. Braces and dollars too: Gradio's HTML component takes them for its templates."""
    for character in "{}$`":
        text = text.replace(character, f"\0{ord(character)};")
    return _escape(text).replace("\0", "&#")


def marked(text: str, question_terms: set[str], answer_terms: set[str]) -> str:
    """Escaped text with <mark> around words."""
    spans = [(start, end, "a") for start, end in marked_spans(text, answer_terms)]
    spans += [(start, end, "q") for start, end in marked_spans(text, question_terms)]
    html, place = [], 0
    for start, end, kind in sorted(spans):
        if start < place:  # terms of two neighbouring characters overlap in Thai and others
            continue
        html += [escape(text[place:start]), f'<mark class="{kind}">{escape(text[start:end])}</mark>']
        place = end
    return "".join([*html, escape(text[place:])])
