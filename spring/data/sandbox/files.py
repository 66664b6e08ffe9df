"""Read a visitor's files in a child process, and check what it says of them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from spring.data.collection import free_name, shown_name
from spring.data.questions import Question, QuestionSet
from spring.data.sandbox.parent import DAMAGED, FileRefused, ReadingStopped, Sandbox, SandboxError
from spring.data.types import Collection, FileResult, Passage
from spring.errors import DocumentError
from spring.settings import MIB, READING_LIMITS, ReadingLimits

_LONGEST_NAME = 200  # characters; it is repeated in every passage
_T = TypeVar("_T")


def parse_documents(
    paths: Sequence[Path],
    names: Sequence[str] = (),
    limits: ReadingLimits = READING_LIMITS,
    stop: Callable[[], bool] = lambda: False,
) -> Collection:
    """Read uploaded files into passages; a bad file's result says what was wrong with it, and the others are read.

    Args:
        paths: the files. Their documents are not kept: `documents` of the result is empty.
        names: those that are taken by files which the visitor has uploaded before.
        limits: of one file and of all of them.
        stop: whether the visitor has pressed Stop or left.

    Raises:
        DocumentError: the files are too large together, or the visitor wants no more.

    """
    _check_bytes(paths, limits)
    taken, left = set(names), limits.characters
    results: list[FileResult] = []
    passages: list[Passage] = []
    try:
        with Sandbox("spring.data.sandbox.jobs:document_job", limits, stop) as sandbox:
            for path in paths:
                name = free_name(shown_name(path.name)[-_LONGEST_NAME:], taken)
                try:
                    answer = sandbox.ask({"path": str(path.absolute()), "characters": left})
                    result, pieces = checked(document, name, answer)
                except ReadingStopped:
                    raise
                except SandboxError as error:
                    results.append(FileResult(name, error=f"{name}: {error}"))
                    continue
                results.append(result)
                passages += pieces
                left -= sum(len(piece.text) for piece in pieces)
    except SandboxError as error:
        raise DocumentError(f"The files were not read: {error}.") from error
    return Collection((), tuple(passages), tuple(results))


def parse_questions(
    path: Path, limits: ReadingLimits = READING_LIMITS, stop: Callable[[], bool] = lambda: False
) -> QuestionSet:
    """Read an uploaded question file.

    Raises:
        DocumentError: what is wrong with the file, or the visitor wants no more.

    """
    _check_bytes([path], limits)
    try:
        with Sandbox("spring.data.sandbox.jobs:questions_job", limits, stop) as sandbox:
            return checked(_question_set, sandbox.ask({"path": str(path.absolute())}))
    except FileRefused as refusal:
        raise DocumentError(str(refusal)) from refusal
    except SandboxError as error:
        raise DocumentError(f"{shown_name(path.name)}: {error}.") from error


def _check_bytes(paths: Sequence[Path], limits: ReadingLimits) -> None:
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if size > limits.bytes:
        raise DocumentError(
            f"The files have {size / MIB:,.0f} MB together; {limits.bytes / MIB:,.0f} are the most, "
            "upload fewer at once."
        )


def checked(make: Callable[..., _T], *arguments: Any) -> _T:
    """What a child says is made into our types; what does not fit in is no answer."""
    try:
        return make(*arguments)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise SandboxError(DAMAGED) from error


def _text(value: Any) -> str:
    """A string that can be sent on: half of a surrogate pair cannot, and would end a visitor's event stream."""
    return str(value).encode().decode()


def document(name: str, answer: bytes) -> tuple[FileResult, list[Passage]]:
    """What `document_job` answered."""
    value = json.loads(answer)
    pieces = [Passage(name, int(page), index, _text(text)) for index, (page, text) in enumerate(value["passages"])]
    return FileResult(name, int(value["pages"]), len(pieces), tuple(map(_text, value["warnings"]))), pieces


def _question_set(answer: bytes) -> QuestionSet:
    value = json.loads(answer)
    return QuestionSet(tuple(map(_question, value["questions"])), tuple(map(_text, value["skipped"])))


def _question(row: Mapping[str, Any]) -> Question:
    passages = tuple(map(_passage, row["passages"]))
    golden = tuple(map(_text, row["golden_answers"]))
    return Question(_text(row["id"]), _text(row["question"]), golden, passages, _text(row["gold_passage"]))


def _passage(row: Mapping[str, Any]) -> Passage:
    return Passage(_text(row["document"]), int(row["page"]), int(row["index"]), _text(row["text"]))
