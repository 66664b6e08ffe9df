"""Read a visitor's files in a child process, and check what it says of them."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from spring.data.collection import find_files, shown_name
from spring.data.copies import content_digest, copy_result, free_name, known_files
from spring.data.questions import USUAL_COLUMNS, Question, QuestionColumns, QuestionSet
from spring.data.sandbox.parent import DAMAGED, FileRefused, ReadingStopped, Sandbox, SandboxError
from spring.data.types import Collection, FileResult, Passage
from spring.errors import DocumentError
from spring.settings import LOCAL_LIMITS, MIB, READING_LIMITS, ReadingLimits

_LONGEST_NAME = 200  # characters; it is repeated in every passage
_T = TypeVar("_T")


def read_each(
    files: Iterable[tuple[Path, str]],
    limits: ReadingLimits = READING_LIMITS,
    stop: Callable[[], bool] = lambda: False,
    before: Iterable[FileResult] = (),
    progress: Callable[[int, str], None] = lambda place, name: None,
) -> Iterator[tuple[FileResult, list[Passage]]]:
    """Read files one after the other, in one child as long as none of them ends it.

    Args:
        files: paths, each with the name to show.
        limits: of one file and of all of them.
        stop: whether the reading should end.
        before: files that were read before; their copies are not read again.
        progress: called before each file with its place, from 1, and its name.

    Yields:
        For each file, in order, what became of it and its passages; of a bad file, what was wrong with it; of a copy
        of another one, which that is.

    Raises:
        DocumentError: nothing could be read at all, or the reading was stopped.

    """
    left = limits.characters
    known = known_files(before)
    try:
        with Sandbox("spring.data.sandbox.jobs:document_job", limits, stop) as sandbox:
            for place, (path, name) in enumerate(files, 1):
                progress(place, name)
                digest = content_digest(path)
                if digest in known:
                    yield copy_result(name, known[digest], digest), []
                    continue
                try:
                    answer = sandbox.ask({"path": str(path.absolute()), "name": name, "characters": left})
                    result, passages = checked(document, name, answer)
                except ReadingStopped:
                    raise
                except SandboxError as error:
                    yield FileResult(name, error=f"{name}: {error}"), []
                    continue
                left -= sum(len(passage.text) for passage in passages)
                known[digest] = name
                yield replace(result, digest=digest), passages
    except SandboxError as error:
        raise DocumentError(f"The files were not read: {error}.") from error


def parse_documents(
    paths: Sequence[Path],
    before: Sequence[FileResult] = (),
    limits: ReadingLimits = READING_LIMITS,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Collection:
    """Read uploaded files into passages; a bad file's result says what was wrong with it, and the others are read.

    Args:
        paths: the files. Their documents are not kept: `documents` of the result is empty.
        before: the files that the visitor has uploaded before: their names are taken, their copies not read again.
        limits: of one file and of all of them.
        stop: whether the visitor has pressed Stop or left.
        say: called with a line about each file before it is read.

    Raises:
        DocumentError: the files are too large together, or the visitor wants no more.

    """
    _check_bytes(paths, limits)
    taken = {result.name for result in before}
    files = [(path, free_name(shown_name(path.name)[-_LONGEST_NAME:], taken)) for path in paths]

    def about(place: int, name: str) -> None:
        say(f"Reading {place} of {len(files)} files: {name} …" if len(files) > 1 else f"Reading {name} …")

    return _collected(read_each(files, limits, stop, before, about))


def parse_collection(paths: Iterable[Path]) -> Collection:
    """Read the user's own files, and the files in folders, with limits that only hostile files reach.

    A bad file's result says what was wrong with it, and the others are read. `documents` of the result is empty.

    Raises:
        DocumentError: no file could be read, as the process that reads does not start.

    """
    files = local_files(paths)
    return _collected(read_each(files, local_limits(files)))


def local_files(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """The user's own files, those in folders too, each with the name to show."""
    taken: set[str] = set()
    return [(path, free_name(shown_name(name), taken)) for path, name in find_files(paths).items()]


def local_limits(files: Iterable[tuple[Path, str]]) -> ReadingLimits:
    """The limits for the user's own files: half of the machine's memory, and time by the size of the largest."""
    largest = max((path.stat().st_size for path, _ in files if os.path.isfile(path)), default=0)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    seconds = LOCAL_LIMITS.cpu_seconds + 2 * largest // MIB
    return replace(
        LOCAL_LIMITS, memory=max(memory // 2, LOCAL_LIMITS.memory), cpu_seconds=seconds, file_seconds=3 * seconds
    )


def _collected(read: Iterable[tuple[FileResult, list[Passage]]]) -> Collection:
    results, pieces = [], []
    for result, passages in read:
        results.append(result)
        pieces += passages
    return Collection((), tuple(pieces), tuple(results))


def parse_questions(
    path: Path,
    limits: ReadingLimits = READING_LIMITS,
    stop: Callable[[], bool] = lambda: False,
    columns: QuestionColumns = USUAL_COLUMNS,
) -> QuestionSet:
    """Read an uploaded question file.

    Raises:
        DocumentError: what is wrong with the file, or the visitor wants no more.

    """
    _check_bytes([path], limits)
    try:
        with Sandbox("spring.data.sandbox.jobs:questions_job", limits, stop) as sandbox:
            return checked(_question_set, sandbox.ask({"path": str(path.absolute()), "columns": asdict(columns)}))
    except FileRefused as refusal:
        raise DocumentError(str(refusal)) from refusal
    except SandboxError as error:
        raise DocumentError(f"{shown_name(path.name)}: {error}.") from error


def _check_bytes(paths: Sequence[Path], limits: ReadingLimits) -> None:
    size = sum(path.stat().st_size for path in paths if os.path.isfile(path))
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
    once: dict[str, str] = {}  # titles and sections are the same in many passages

    def repeated(text: Any) -> str:
        return once.setdefault(text := _text(text), text)

    pieces = [
        Passage(name, int(page), index, _text(text), repeated(section), repeated(title), _text(id))
        for index, (page, text, section, title, id) in enumerate(value["passages"])
    ]
    warnings = tuple(map(_text, value["warnings"]))
    return FileResult(name, int(value["pages"]), len(pieces), warnings, title=_text(value["title"])), pieces


def _question_set(answer: bytes) -> QuestionSet:
    value = json.loads(answer)
    skipped, ignored = (tuple(map(_text, value[name])) for name in ("skipped", "ignored"))
    return QuestionSet(tuple(map(_question, value["questions"])), skipped, ignored, int(value["unanswerable"]))


def _question(row: Mapping[str, Any]) -> Question:
    passages = tuple(map(_passage, row["passages"]))
    golden = tuple(map(_text, row["golden_answers"]))
    return Question(_text(row["id"]), _text(row["question"]), golden, passages, _text(row["gold_passage"]))


def _passage(row: Mapping[str, Any]) -> Passage:
    document, text, section, title = (_text(row[name]) for name in ("document", "text", "section", "title"))
    return Passage(document, int(row["page"]), int(row["index"]), text, section, title, _text(row["id"]))
