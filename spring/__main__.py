"""The command line: `python -m spring ask ...`."""

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from spring.errors import DocumentError, SpringError

if TYPE_CHECKING:
    from spring.comparison import Comparison
    from spring.documents import Collection
    from spring.generation import Engine


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")  # one line, as for all bad input


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backbone", metavar="NAME", help="known name, hub id or model folder")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="virtual tokens, .safetensors or .pt")
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "4bit", "bf16", "fp32"),
        help="auto: 4-bit NF4 on a GPU, fp32 on a CPU",
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m spring", description="Answers with and without learned virtual tokens.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    ask = commands.add_parser("ask", help="answer one question from documents")
    ask.add_argument("question", metavar="QUESTION")
    ask.add_argument("--documents", nargs="+", type=Path, required=True, metavar="PATH", help="files or folders")
    ask.add_argument("--virtual-tokens", nargs="+", type=int, default=[0, 50], metavar="K", help="default: 0 50")
    ask.add_argument("--passages", type=int, default=3, metavar="N", help="default: 3")
    ask.add_argument("--max-new-tokens", type=int, default=50, metavar="N", help="default: 50")
    ask.add_argument("--temperature", type=float, default=0.0, metavar="T", help="default: 0, greedy")
    ask.add_argument("--seed", type=int, default=0, metavar="N", help="of sampling; default: 0")
    ask.add_argument("--instruction", action="store_true", help="one more answer: told in words, without tokens")
    ask.add_argument("--json", action="store_true", help="print one JSON object")
    _add_model_options(ask)
    prepare = commands.add_parser("prepare", help="fetch or convert a backbone ahead of time")
    _add_model_options(prepare)
    return parser


def _collection(paths: Sequence[Path]) -> "Collection":
    from spring.documents import read_collection

    collection = read_collection(paths)
    if not collection.passages:
        lines = [result.line for result in collection.results]
        raise DocumentError("No document could be read: " + ("; ".join(lines) or "the folder holds no files") + ".")
    return collection


def _engine(options: argparse.Namespace) -> "Engine":
    from spring.embedded import DEFAULT_BACKBONE
    from spring.generation import load_engine

    return load_engine(options.backbone or DEFAULT_BACKBONE, options.tokens, options.precision, report=_say)


def _ask(options: argparse.Namespace) -> None:
    from spring.comparison import Settings, as_dict, compare
    from spring.prompt import build_prompt
    from spring.retrieval import Bm25Retriever
    from spring.virtual_tokens import describe

    settings = Settings(
        virtual_tokens=tuple(options.virtual_tokens),
        passages=options.passages,
        instruction=options.instruction,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        seed=options.seed,
    )
    build_prompt([], options.question)  # refuse an empty question before the model is loaded
    collection = _collection(options.documents)
    engine = _engine(options)
    comparisons = compare(engine, Bm25Retriever(collection.passages), options.question, settings)
    next(comparisons)  # what cannot be asked is refused now, in one line
    for result in collection.results:
        _say(result.line)
    _say(f"{engine.backbone.name} ({engine.backbone.precision}); {describe(engine.tokens)}")
    *_, comparison = comparisons
    for note in comparison.notes:
        _say(note)
    if options.json:
        print(json.dumps(as_dict(comparison, engine), ensure_ascii=False))
    else:
        print(_as_text(comparison))


def _prepare(options: argparse.Namespace) -> None:
    from spring.embedded import DEFAULT_BACKBONE, embedded_model

    name = options.backbone or DEFAULT_BACKBONE
    if name != DEFAULT_BACKBONE or embedded_model(_say) is None:
        name = _engine(options).backbone.name  # loading it fetches what is missing
    _say(f"{name} is ready.")


def _as_text(comparison: "Comparison") -> str:
    """The passages, then the answers side by side, as many columns as the terminal has room for."""
    width = shutil.get_terminal_size((100, 24)).columns
    lines = [comparison.question, ""]
    for hit in comparison.hits:
        place = f"[{hit.rank}] {hit.passage.document}, page {hit.passage.page} (score {hit.score:.2f}): "
        lines.append(textwrap.shorten(place + hit.passage.text, width, placeholder=" ..."))
    per_row = max(1, min(len(comparison.answers), width // 36))
    column = width // per_row - 2
    for start in range(0, len(comparison.answers), per_row):
        cells = []
        for answer in comparison.answers[start : start + per_row]:
            meter = f"{answer.new_tokens} tokens, {answer.seconds:.1f} s, {answer.tokens_per_second:.1f} tokens/s"
            text = answer.text or "(the model ended its answer at once)"
            wrapped = [line for part in text.splitlines() for line in textwrap.wrap(part, column) or [""]]
            cells.append([answer.title.upper(), "-" * column, *wrapped, "", meter])
        lines.append("")
        for row in zip_longest(*cells, fillvalue=""):
            lines.append("  ".join(cell.ljust(column) for cell in row).rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0, or 2 for wrong use and bad input."""
    options = _parser().parse_args(arguments)
    try:
        {"ask": _ask, "prepare": _prepare}[options.command](options)
        sys.stdout.flush()
    except SpringError as error:
        _say(f"spring: {error}")
        return 2
    except BrokenPipeError:  # who reads, such as `head`, has seen enough; Python would flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
