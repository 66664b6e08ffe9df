"""Options that several commands share, and what they do with them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spring.errors import DocumentError, PromptError
from spring.rag.prompt import BASELINES

if TYPE_CHECKING:
    from spring.data.questions import Question, QuestionColumns
    from spring.data.types import Collection
    from spring.generation.engine import LocalEngine
    from spring.generation.openai.engine import OpenAiEngine
    from spring.rag.bm25 import Bm25Retriever
    from spring.rag.index import IndexRetriever
    from spring.rag.prompt import Baseline


def say(line: str) -> None:
    """Print a line beside the result."""
    print(line, file=sys.stderr, flush=True)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Which backbone, in which precision."""
    parser.add_argument(
        "--backbone", metavar="NAME", help="a known name or a hub id, each with @REVISION if wanted, or a model folder"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "4bit", "bf16", "fp32", "4bit-double", "int4"),
        help="auto: 4-bit NF4 on a GPU; on a CPU int4 (bf16 to read, 4 bits to write) where it is faster, else fp32; "
        "4bit-double quantizes NF4's scales too",
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Which server to ask instead of a model that is loaded here."""
    parser.add_argument(
        "--engine-url",
        metavar="URL",
        help="ask a server that has an exported model, as http://HOST:8000/v1; --backbone is then the exported folder, "
        "and SPRING_ENGINE_KEY holds the server's key",
    )
    parser.add_argument("--engine-model", metavar="NAME", help="the model's name there; default: the only one")


def add_baseline_options(parser: argparse.ArgumentParser) -> None:
    """Which answers without virtual tokens are asked for besides those for each k."""
    parser.add_argument(
        "--baseline",
        nargs="+",
        action="extend",
        default=[],
        choices=BASELINES,
        help="more answers, without tokens. plain: k = 0; instruction: in words; examples: three worked examples; "
        "chat: the tokenizer's chat template",
    )
    parser.add_argument("--instruction", action="store_true", help="short for --baseline instruction")


def add_question_options(parser: argparse.ArgumentParser) -> None:
    """Where the questions and answers of a question file are."""
    parser.add_argument("--question-column", metavar="NAME", help="of question files; default: question, query, ...")
    parser.add_argument("--answer-column", metavar="NAME", help="default: golden_answers, answers, answer, target, ...")
    parser.add_argument(
        "--no-answer",
        nargs="?",
        const="no answer",
        metavar="TEXT",
        help='score questions that have no answer (SQuAD 2.0) with TEXT as their answer, "no answer" where TEXT is '
        "missing; default: leave them out",
    )


def question_columns(options: argparse.Namespace) -> "QuestionColumns":
    """What the options of `add_question_options` say."""
    from spring.data.questions import QuestionColumns

    return QuestionColumns(options.question_column, options.answer_column, options.no_answer)


def question_sets(paths: Sequence[Path], options: argparse.Namespace) -> "dict[str, tuple[Question, ...]]":
    """Read question files, and say what was left out of each.

    Returns:
        The questions of each by the file's name without its ending; a second one of a name gets a number.

    """
    from spring.data.questions import NEEDED, read_questions

    sets: dict[str, tuple[Question, ...]] = {}
    for path in paths:
        try:
            read = read_questions(path, question_columns(options))
        except DocumentError as error:
            hint = " Name others with --question-column and --answer-column." if NEEDED in str(error) else ""
            raise DocumentError(f"{error}{hint}") from error
        if read.note:
            say(f"{path.name}: {read.note}" if len(paths) > 1 else read.note)
        if read.unanswerable:
            say("With --no-answer they are scored.")
        name, number = path.stem, 1
        while name in sets:
            number += 1
            name = f"{path.stem}-{number}"
        sets[name] = read.questions
    return sets


def baselines_of(options: argparse.Namespace) -> "tuple[Baseline, ...]":
    """The baselines that the options name, each once."""
    return tuple(dict.fromkeys([*options.baseline, *(["instruction"] if options.instruction else [])]))


def add_tokens_option(parser: argparse.ArgumentParser) -> None:
    """Which virtual tokens, and how they are put in."""
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        help="virtual tokens, .safetensors or .pt; also OWNER/NAME[@REVISION] or OWNER/NAME/FILE[@REVISION] on the hub",
    )
    parser.add_argument(
        "--layout",
        choices=("training", "recipe"),
        help="how prompts are encoded around the tokens: as in training (default), or as with [ref1] in the text",
    )
    parser.add_argument(
        "--position",
        default="seam",
        choices=("seam", "front"),
        help="where the tokens stand: between passages and question (default), or before both, as PEFT's prompt tuning "
        "puts them; then every k reads the passages anew",
    )


def whole_number(option: str, text: str) -> int:
    """The number that an option gives.

    Raises:
        PromptError: it is none, or not above 0.

    """
    if not text.isdecimal() or int(text) < 1:
        raise PromptError(f"{option} must be a whole number above 0, not {text!r}.")
    return int(text)


def read_documents(paths: Sequence[Path]) -> "Collection":
    """Read documents.

    Raises:
        DocumentError: none could be read.

    """
    from spring.data.sandbox.files import parse_collection

    collection = parse_collection(paths)
    if not collection.passages:
        lines = [result.line for result in collection.results]
        raise DocumentError("No document could be read: " + ("; ".join(lines) or "the folder holds no files") + ".")
    return collection


def open_retriever(paths: Sequence[Path]) -> "tuple[Bm25Retriever | IndexRetriever, Collection]":
    """Open an index made by `spring index`, or read documents and index them in memory.

    Returns:
        What searches them, and the documents: none of an index, as they stay on disk.

    Raises:
        DocumentError: none could be read, or the index cannot be used.
        PromptError: an index and other paths are given at once.

    """
    from spring.data.types import Collection
    from spring.rag.bm25 import Bm25Retriever
    from spring.rag.index import IndexRetriever
    from spring.rag.index_folder import is_index

    for path in paths:
        if is_index(path):
            if len(paths) > 1:
                raise PromptError(f"{path} is an index: give it alone, or add the others to it with `spring index`.")
            return IndexRetriever(path), Collection((), (), ())
    collection = read_documents(paths)
    return Bm25Retriever(collection.passages), collection


def open_corpus(paths: Sequence[Path]) -> "tuple[Bm25Retriever | IndexRetriever, Collection]":
    """Open documents to search for many questions (see `open_retriever`), and say what was not read, and of which."""
    retriever, collection = open_retriever(paths)
    for result in collection.results:
        if result.error or result.warnings:
            say(result.line)
    return retriever, collection


def layout_of(options: argparse.Namespace) -> str:
    """The layout that the options of `add_tokens_option` name.

    Raises:
        PromptError: two are named.

    """
    front = options.position == "front"
    if front and options.layout:
        raise PromptError("With --position front nothing is encoded around the tokens: leave --layout out.")
    return "front" if front else options.layout or "training"


def open_engine(options: argparse.Namespace) -> "LocalEngine | OpenAiEngine":
    """Connect to the server that the options name until the command ends, else load the backbone.

    Raises:
        PromptError: an option that belongs to a model loaded here is given as well.

    """
    if not options.engine_url:
        return load(options)
    if options.tokens or options.precision != "auto" or not options.backbone:
        raise PromptError(
            "With --engine-url the exported folder is the --backbone; it has its tokens, and the server its precision."
        )
    from spring.generation.openai.engine import OpenAiEngine

    key = os.environ.get("SPRING_ENGINE_KEY", "")
    url, model = options.engine_url, options.engine_model or ""
    served = OpenAiEngine(options.backbone, url, model, key, layout_of(options))
    options.opened.callback(served.close)
    if served.exported.manifest.at_front != (options.position == "front"):
        place = "front" if served.exported.manifest.at_front else "seam"
        say(f"These virtual tokens were learned for another place in the prompt: --position {place} puts them there.")
    return served


def load(options: argparse.Namespace) -> "LocalEngine":
    """Load the backbone and the tokens that the options name."""
    from spring.generation.engine import load_engine
    from spring.settings import DEFAULT_BACKBONE

    name = options.backbone or DEFAULT_BACKBONE
    return load_engine(name, options.tokens, options.precision, report=say, layout=layout_of(options))
