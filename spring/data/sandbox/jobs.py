"""What the child process does with a file: read it, and answer in bounded JSON."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spring.data.chunking import split_passages
from spring.data.collection import document_of
from spring.data.loaders.registry import read_file
from spring.data.questions import QuestionColumns, read_questions
from spring.errors import DocumentError
from spring.settings import ReadingLimits

_FOR_PAGES = 0.4  # of the time that a file may take


def document_job(request: Mapping[str, Any], limits: ReadingLimits) -> bytes:
    """The passages of the file `path`, shown as `name`, as JSON. characters: the most that they may have.

    Raises:
        DocumentError: what is wrong with the file.

    """
    content = read_file(Path(request["path"]), limits.pages, _while_in_time(limits))
    document = document_of(content, request["name"])
    passages = split_passages(document)
    characters, most = sum(len(passage.text) for passage in passages), request["characters"]
    if characters > most:
        raise DocumentError(
            f"its text has {characters:,} characters, of which this upload may have {most:,} more; "
            "give a smaller part of it"
        )
    return _as_json(
        {
            "title": document.title,
            "pages": len(document.pages),
            "warnings": document.warnings,
            "passages": [(p.page, p.text, p.section, p.title, p.id) for p in passages],
        }
    )


def _while_in_time(limits: ReadingLimits) -> Callable[[], bool]:
    """Whether less than the part of the time is gone that leaves the rest for what is done with the pages."""
    processor, clock = time.process_time(), time.monotonic()

    def in_time() -> bool:
        used = (time.process_time() - processor) / limits.cpu_seconds
        return max(used, (time.monotonic() - clock) / limits.file_seconds) < _FOR_PAGES

    return in_time


def questions_job(request: Mapping[str, Any], limits: ReadingLimits) -> bytes:
    """The questions of the file `path` as JSON. columns: the fields of `QuestionColumns`.

    Raises:
        DocumentError: what is wrong with the file.

    """
    return _as_json(asdict(read_questions(Path(request["path"]), QuestionColumns(**request["columns"]))))


def _as_json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
