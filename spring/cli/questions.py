"""`spring questions`: draft questions and answers from documents, for people to check."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spring.cli.opening import open_corpus, open_engine
from spring.cli.options import add_engine_options, add_model_options, add_tokens_option, whole_number
from spring.errors import DocumentError, PromptError

if TYPE_CHECKING:
    from spring.training.drafting import DraftedPair, Drafts


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("documents", nargs="+", type=Path, metavar="DOCUMENTS", help="files or folders")
    parser.add_argument("--number", default="50", metavar="N", help="pairs to draft; default: 50")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=".jsonl, a question file")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the passages; default: 0")
    add_model_options(parser)
    add_tokens_option(parser)
    add_engine_options(parser)


def run(options: argparse.Namespace) -> None:
    """Draft, and write the pairs that are kept as they come."""
    number = whole_number("--number", options.number)
    if options.output.suffix != ".jsonl":
        raise PromptError(f"--output must end with .jsonl, not {options.output.name!r}.")
    if options.output.exists():
        raise PromptError(f"{options.output} is there already, and may hold what you have checked: name another file.")
    retriever, collection = open_corpus(options.documents)
    if not collection.passages:
        raise PromptError("Questions are drafted from files or folders, not from an index: name those it was made of.")
    from tqdm import tqdm

    from spring.training.drafting import Drafts, draft

    engine = open_engine(options)
    drafts, written = Drafts(), 0
    try:
        with options.output.open("w", encoding="utf-8") as file, tqdm(total=number, file=sys.stderr) as bar:
            for drafts in draft(engine, collection.passages, retriever, number, options.seed):
                for pair in drafts.pairs[written:]:
                    written += 1
                    row = _row(written, pair, engine.backbone.name)
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
                bar.update(written - bar.n)
    except OSError as error:
        raise DocumentError(f"{options.output} cannot be written ({error.strerror}).") from error
    print(_summary(options.output, drafts, number))


def _row(number: int, pair: "DraftedPair", backbone: str) -> Mapping[str, Any]:
    """A row of a question file in FlashRAG's form; `drafted` in its metadata says who wrote it."""
    passage = pair.passage
    place = {"document": passage.document, "page": passage.page, "passage": passage.titled}
    return {
        "id": f"drafted-{number}",
        "question": pair.question,
        "golden_answers": [pair.answer],
        "metadata": {"drafted": backbone, **place},
    }


def _summary(path: Path, drafts: "Drafts", number: int) -> str:
    reasons = [f"{count} {reason}" for reason, count in drafts.dropped.most_common()]
    kept = len(drafts.pairs)
    few = "" if kept >= number else f" There were passages for no more than {kept}."
    return (
        f"{path}: {kept} of {drafts.drafted} drafted questions kept; dropped: {', '.join(reasons) or 'none'}.{few} "
        "Check each: delete what is wrong or dull. They are for training, never for dev."
    )
