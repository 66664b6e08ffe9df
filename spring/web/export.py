"""Write comparisons as Markdown, CSV or JSON that is safe to open and to paste.

Texts of documents, questions and answers are data: no cell becomes a formula, no line a heading, a list or HTML.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from spring.data.cleaning import without_surrogates
from spring.evaluation.metrics import score
from spring.evaluation.results import defused
from spring.generation.comparison import as_dict, passage_as_dict
from spring.generation.interface import Engine
from spring.generation.types import Answer
from spring.rag.retriever import Hit
from spring.web.visitors.history import Kept

MARKUP = re.compile(r"([\\`*_\[\]<>|~&$!])")  # means something anywhere in a line
LINE_START = re.compile(r"^([#+\-=:]|\d+(?=[.)]))")  # a heading, a list, a line below a heading
LINK = re.compile(r"(://|www\.|@)", re.IGNORECASE)  # made a link by itself on many sites


class CsvRow(NamedTuple):
    """One answer."""

    comparison: int
    question: str
    expected: str
    answer: str
    virtual_tokens: int
    baseline: str
    text: str
    exact_match: str
    f1: str
    new_tokens: int
    seconds: float
    passages: str


def as_markdown(history: Iterable[Kept]) -> str:
    """The comparisons, one heading each."""
    return without_surrogates("\n".join(map(_one, history)))


def as_csv(history: Iterable[Kept]) -> str:
    """One row for each answer, for a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(CsvRow._fields)
    writer.writerows(defused(row) for kept in history for row in _rows(kept))
    return without_surrogates(out.getvalue())


def as_json(history: Iterable[Kept], engine: Engine) -> str:
    """A list of what `/compare` returns, each with the expected answers, and what the visitor did to the passages."""
    found: list[dict[str, Any]] = [
        {
            **as_dict(kept.comparison, engine),
            "passages": [
                {**passage_as_dict(hit), "edited_by_visitor": hit in kept.edited} for hit in kept.comparison.hits
            ],
            "left_out_by_visitor": [passage_as_dict(hit) for hit in kept.left_out],
            "notes": list(kept.notes),
            "expected": list(kept.golden),
        }
        for kept in history
    ]
    return without_surrogates(json.dumps(found, ensure_ascii=False, indent=1))


def _rows(kept: Kept) -> Iterable[CsvRow]:
    comparison = kept.comparison
    passages = "; ".join(_place(hit, kept) for hit in _listed(kept))
    for answer in comparison.answers:
        agreement = score(answer.text, kept.golden) if kept.golden else None
        yield CsvRow(
            kept.number,
            comparison.question,
            " | ".join(kept.golden),
            answer.title,
            answer.virtual_tokens,
            answer.baseline,
            answer.text,
            ("yes" if agreement.exact_match else "no") if agreement else "",
            f"{agreement.f1:.2f}" if agreement else "",
            answer.new_tokens,
            round(answer.seconds, 2),
            passages,
        )


def _one(kept: Kept) -> str:
    comparison, golden = kept.comparison, kept.golden
    parts = [f"## {_line(comparison.question)}"]
    if golden:
        parts.append(f"Expected: {_line(' or '.join(golden))}")
    for answer in comparison.answers:
        parts += [f"**{answer.title.capitalize()}**{_scores(answer, golden)}", _quoted(answer.text)]
    for hit in _listed(kept):
        parts += [f"\\[{hit.rank}\\] {_line(_place(hit, kept))}", _quoted(hit.passage.titled)]
    return "\n\n".join([*parts, *map(_line, kept.notes)]) + "\n"


def _scores(answer: Answer, golden: tuple[str, ...]) -> str:
    if not golden:
        return ""
    agreement = score(answer.text, golden)
    return f" (exact match {'yes' if agreement.exact_match else 'no'}, F1 {agreement.f1:.2f})"


def _listed(kept: Kept) -> list[Hit]:
    """The passages that the model saw, and those that the visitor left out."""
    return sorted((*kept.comparison.hits, *kept.left_out), key=lambda hit: hit.rank)


def _place(hit: Hit, kept: Kept) -> str:
    """Where a passage is from, and whether the visitor has edited it or left it out."""
    place = f"{hit.passage.document}, page {hit.passage.page}"
    done = "edited" if hit in kept.edited else "left out" if hit in kept.left_out else ""
    return f"{place} ({done} by the visitor)" if done else place


def _quoted(text: str) -> str:
    """A text as a quotation that keeps its lines."""
    lines = [_escaped(line) for line in text.splitlines() if line.strip()]
    return "  \n".join(f"> {line}" for line in lines or ["(no words)"])


def _line(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _escaped(line: str) -> str:
    """One line of text in which nothing is Markdown or HTML."""
    line = MARKUP.sub(r"\\\1", line.strip())
    line = LINK.sub(lambda found: found[0].replace(":", "\\:").replace(".", "\\.").replace("@", "\\@"), line)
    start = LINE_START.match(line)
    if start is None:
        return line
    return f"{start[0]}\\{line[start.end() :]}" if start[0][0].isdigit() else f"\\{line}"
