"""`python -m spring ask`: one question, the answers side by side."""

import argparse
import json
import shutil
import textwrap
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from spring.cli.opening import open_engine, open_retriever
from spring.cli.options import (
    add_baseline_options,
    add_engine_options,
    add_model_options,
    add_tokens_option,
    baselines_of,
    say,
)

if TYPE_CHECKING:
    from spring.generation.comparison import Comparison


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--documents", nargs="+", type=Path, required=True, metavar="PATH", help="files or folders, or an index"
    )
    parser.add_argument("--virtual-tokens", nargs="+", type=int, metavar="K", help="default: 0 and all")
    parser.add_argument("--passages", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--max-new-tokens", type=int, default=50, metavar="N", help="default: 50")
    parser.add_argument("--temperature", type=float, default=0.0, metavar="T", help="default: 0, greedy")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of sampling; default: 0")
    add_baseline_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_options(parser)
    add_tokens_option(parser)
    add_engine_options(parser)


def run(options: argparse.Namespace) -> None:
    """Ask, and print the answers."""
    from spring.generation.comparison import ComparisonSettings, as_dict, compare
    from spring.generation.types import DecodingOptions
    from spring.models.catalog import origin
    from spring.rag.prompt import build_prompt

    settings = ComparisonSettings(
        virtual_tokens=tuple(options.virtual_tokens or (0,)),
        passages=options.passages,
        baselines=baselines_of(options),
        decoding=DecodingOptions(options.max_new_tokens, options.temperature, options.seed),
    )
    build_prompt([], options.question)  # refuse an empty question before the model is loaded
    retriever, collection = open_retriever(options.documents)
    engine = open_engine(options)
    if not options.virtual_tokens:
        settings = replace(settings, virtual_tokens=(0, len(engine.tokens)))
    comparisons = compare(engine, retriever, options.question, settings)
    next(comparisons)  # a bad request is refused now, in one line
    for result in collection.results:
        say(result.line)
    backbone, tokens = engine.backbone, engine.tokens
    whose = origin(len(tokens), backbone.name, tokens.learned)
    say(f"{backbone.name} ({backbone.precision}, {backbone.precision_reason}); {whose}")
    *_, comparison = comparisons
    for note in comparison.notes:
        say(note)
    if options.json:
        print(json.dumps(as_dict(comparison, engine), ensure_ascii=False))
    else:
        print(_as_text(comparison))


def _as_text(comparison: "Comparison") -> str:
    """The passages, then the answers side by side, in as many columns as fit the terminal."""
    width = shutil.get_terminal_size((100, 24)).columns
    lines = [comparison.question, ""]
    for hit in comparison.hits:
        place = ", ".join(filter(None, [hit.passage.document, hit.passage.section, f"page {hit.passage.page}"]))
        place = f"[{hit.rank}] {place} (score {hit.score:.2f}): "
        lines.append(textwrap.shorten(place + hit.passage.titled, width, placeholder=" ..."))
    per_row = max(1, min(len(comparison.answers), width // 36))
    column = width // per_row - 2
    for start in range(0, len(comparison.answers), per_row):
        cells = []
        for answer in comparison.answers[start : start + per_row]:
            meter = f"{answer.new_tokens} tokens, {answer.seconds:.1f} s, {answer.tokens_per_second:.1f} tokens/s"
            text = answer.text or f"(empty: ended by {answer.ended_by!r})"
            wrapped = [line for part in text.splitlines() for line in textwrap.wrap(part, column) or [""]]
            cells.append([answer.title.upper(), "-" * column, *wrapped, "", meter])
        lines.append("")
        for row in zip_longest(*cells, fillvalue=""):
            lines.append("  ".join(cell.ljust(column) for cell in row).rstrip())
    return "\n".join(lines)
