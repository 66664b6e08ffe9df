"""Open what the options of a command name: questions, documents or an index, a model or a server."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spring.cli.options import layout_of, question_columns, say
from spring.errors import DocumentError, PromptError

if TYPE_CHECKING:
    from spring.data.questions import Question
    from spring.data.types import Collection
    from spring.generation.engine import LocalEngine
    from spring.generation.openai.engine import OpenAiEngine
    from spring.rag.bm25 import Bm25Retriever
    from spring.rag.index import IndexRetriever


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
