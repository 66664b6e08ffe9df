"""`spring search`: the passages that answer a question's words, without a model."""

import argparse
import json
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spring.cli.opening import open_corpus
from spring.cli.options import whole_number
from spring.data.cleaning import without_surrogates
from spring.errors import PromptError
from spring.rag.retriever import NOTHING_FITS, Hit


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the question, the documents and the form of the output."""
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--documents", nargs="+", type=Path, required=True, metavar="PATH", help="files or folders, or an index"
    )
    parser.add_argument("--passages", default="3", metavar="N", help="most passages to show; default: 3")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> None:
    """Search and print the passages; none that fits is no error."""
    question = without_surrogates(options.question).strip()
    if not question:
        raise PromptError("Please type a question.")
    limit = whole_number("--passages", options.passages)
    retriever, _ = open_corpus(options.documents)
    hits = retriever.search(question, limit)
    if options.json:
        print(json.dumps({"question": question, "hits": [_as_dict(hit) for hit in hits]}, ensure_ascii=False))
    else:
        print(_as_text(question, hits))


def _as_dict(hit: Hit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "document": hit.passage.document,
        "page": hit.passage.page,
        "title": hit.passage.title,
        "section": hit.passage.section,
        "text": hit.passage.text,
        "terms": list(hit.terms),
    }


def _as_text(question: str, hits: Sequence[Hit]) -> str:
    """Each passage below a line that says where it stands and which words matched."""
    if not hits:
        return NOTHING_FITS
    width = shutil.get_terminal_size((100, 24)).columns
    lines = [question]
    for hit in hits:
        passage = hit.passage
        place = [f"{passage.document}, page {passage.page}", passage.title, passage.section]
        lines += ["", f"[{hit.rank}] {' > '.join(filter(None, place))} (score {hit.score:.2f}; {', '.join(hit.terms)})"]
        for paragraph in passage.text.splitlines():
            lines += textwrap.wrap(paragraph, width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)
