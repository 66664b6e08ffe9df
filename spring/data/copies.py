"""The same file twice, by its content: its copy would take a second place among the passages of an answer."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from pathlib import Path

from spring.data.types import Collection, FileResult


def content_digest(path: Path) -> str:
    """SHA-256 of a file; "" of what is none or cannot be opened, which is left to the reader to say."""
    if not os.path.isfile(path):  # Path's own test raises where a folder is closed or a name too long
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def copy_result(name: str, first: str, digest: str) -> FileResult:
    """What became of a file whose content was read before, under the name `first`."""
    said = "it is there already" if name == first else f"the same file as {first}, which is read once"
    return FileResult(name, warnings=(said,), digest=digest)


def free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` and so on, so that no two documents are called the same."""
    free = next(free for n in count(1) if (free := name if n == 1 else f"{name} ({n})") not in taken)
    taken.add(free)
    return free


def known_files(results: Iterable[FileResult]) -> dict[str, str]:
    """The names of the files that were read, by their content."""
    return {result.digest: result.name for result in results if result.pages and result.digest}


def joined(before: Collection, added: Collection) -> Collection:
    """Both, in this order; what is added may have been read while `before` was.

    A file that both have is in it once, and a name that both have is changed.
    """
    known, taken = known_files(before.results), {result.name for result in before.results}
    names: dict[str, str] = {}  # of what is kept, by the names in `added`
    results: list[FileResult] = []
    for result in added.results:
        name = free_name(result.name, taken)
        if result.pages and result.digest in known:
            results.append(copy_result(name, known[result.digest], result.digest))
            continue
        names[result.name] = name
        results.append(replace(result, name=name))
    documents = [replace(document, name=names[document.name]) for document in added.documents if document.name in names]
    passages = [
        passage if names[passage.document] == passage.document else replace(passage, document=names[passage.document])
        for passage in added.passages
        if passage.document in names
    ]
    return Collection((*before.documents, *documents), (*before.passages, *passages), (*before.results, *results))
