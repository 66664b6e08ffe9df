"""`python -m spring read`: what is read of documents and question files, without a model."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spring.cli.options import add_question_options, question_columns
from spring.errors import DocumentError, PromptError

if TYPE_CHECKING:
    from spring.data.questions import QuestionColumns
    from spring.data.types import FileResult, Passage

_MANY = 20  # files from which on a progress bar shows how far the reading is
_NOTHING = "None of the files could be read."


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of one file. shown: as the object of a JSON line. text: for people. good: whether it was read."""

    shown: dict[str, Any]
    text: str
    good: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the files to read."""
    add = parser.add_argument
    add("documents", nargs="*", type=Path, metavar="PATH", help="documents, or folders of them")
    add("--questions", nargs="+", default=[], type=Path, metavar="PATH", help="question files")
    add_question_options(parser)
    add("--json", action="store_true", help="print one JSON object a file, one a line")


def run(options: argparse.Namespace) -> None:
    """Read, and print each file's passages or questions.

    Raises:
        DocumentError: no file could be read.
        PromptError: none was named.

    """
    if not options.documents and not options.questions:
        raise PromptError("Name the files to read: documents, or question files after --questions.")
    good = 0
    for files in (_documents(options.documents), _question_files(options.questions, question_columns(options))):
        for read in files:
            good += read.good
            print(json.dumps(read.shown, ensure_ascii=False) if options.json else read.text, flush=True)
    if not good:
        raise DocumentError(_NOTHING)


def _documents(paths: list[Path]) -> Iterator[_Read]:
    from tqdm import tqdm

    from spring.data.sandbox.files import local_files, local_limits, read_each

    files = local_files(paths)
    if paths and not files:
        raise DocumentError("The folder holds no files.")
    every = read_each(files, local_limits(files))
    few = len(files) < _MANY
    for result, passages in tqdm(every, total=len(files), unit="file", file=sys.stderr, disable=few, delay=0.5):
        yield _document(result, passages)


def _document(result: "FileResult", passages: "list[Passage]") -> _Read:
    if result.error is not None:
        return _Read({"document": result.name, "error": result.error}, result.line, False)
    # The title of the document is said once; that of a row in a corpus stands above its text.
    texts = [passage.text if passage.title == result.title else passage.titled for passage in passages]
    pieces = [{"page": p.page, "section": p.section, "text": text} for p, text in zip(passages, texts, strict=True)]
    shown = {"document": result.name, "title": result.title, "pages": result.pages}
    lines = [result.line, f"Title: {result.title}"]
    for passage, text in zip(passages, texts, strict=True):
        place = ", ".join(filter(None, [f"page {passage.page}", passage.section]))
        lines += ["", f"[{passage.index + 1}] {place}", text]
    return _Read({**shown, "passages": pieces, "warnings": [*result.warnings]}, "\n".join([*lines, ""]), True)


def _question_files(paths: list[Path], columns: "QuestionColumns") -> Iterator[_Read]:
    from spring.data.collection import shown_name
    from spring.data.sandbox.files import local_limits, parse_questions

    for path in paths:
        name = shown_name(path.name)
        try:
            questions = parse_questions(path, local_limits([(path, name)]), columns=columns)
        except DocumentError as error:
            yield _Read({"file": name, "error": str(error)}, str(error), False)
            continue
        left_out = {"unanswerable": questions.unanswerable} if questions.unanswerable else {}
        rows = [
            {"id": q.id, "question": q.question, "golden_answers": [*q.golden_answers]} for q in questions.questions
        ]
        lines = [f"{name}: {len(rows)} question{'s' * (len(rows) != 1)}", *filter(None, [questions.note])]
        lines += [f"{q.id}: {q.question} ({' | '.join(q.golden_answers)})" for q in questions.questions]
        yield _Read(
            {"file": name, "questions": rows, "skipped": [*questions.skipped], **left_out}, "\n".join(lines), True
        )
