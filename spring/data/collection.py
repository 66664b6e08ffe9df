"""Read files and folders into a collection of documents and passages; one result line for each file, good or bad."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from spring.data.chunking import split_passages
from spring.data.cleaning import clean_text, one_line
from spring.data.copies import content_digest, copy_result, free_name
from spring.data.loaders.content import Content
from spring.data.loaders.registry import read_file
from spring.data.types import Collection, Document, FileResult, Passage
from spring.errors import DocumentError

_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # embeddings, overrides and isolates of right-to-left text


def read_document(path: Path, name: str | None = None) -> Document:
    """Read a file of one of FILE_TYPES. name: what to call it, by default the name of the file.

    Raises DocumentError: one sentence with the name, what was wrong and what to do.
    """
    name = shown_name(name or path.name)
    try:
        return document_of(read_file(path), name)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}") from error


def document_of(content: Content, name: str) -> Document:
    """A document of what a loader made of a file."""
    return Document(name, tuple(content.pages), tuple(content.warnings), content.title or Path(name).stem)


def find_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Each file once, with its name: in a folder its path from there. Hidden ones in folders are left out."""
    files: dict[Path, str] = {}
    for path in paths:
        inside = sorted(filter(os.path.isfile, path.rglob("*"))) if os.path.isdir(path) else []
        places = [(file, file.relative_to(path)) for file in inside]
        shown = [(f, place.as_posix()) for f, place in places if not re.search(r"(^|/)\.", place.as_posix())]
        for file, name in shown or [(path, path.name or str(path))]:
            files.setdefault(file.absolute(), name)
    return files


def shown_name(name: str) -> str:
    """A file's name as one clean line, in the order of its letters: what would turn them round becomes U+FFFD."""
    return _TURNS.sub("\ufffd", one_line(clean_text(name))) or "file"


def read_collection(paths: str | Path | Iterable[str | Path], words: int = 100) -> Collection:
    """Read files, and the files in folders, into passages of about `words` words, in this process.

    For files that can be trusted; all others are read by `spring.data.sandbox.files`, with limits.
    A bad file raises nothing: its FileResult says what was wrong, and the others are read. So does that of a copy of
    another file, which is read once.
    """
    documents: list[Document] = []
    passages: list[Passage] = []
    results: list[FileResult] = []
    taken: set[str] = set()
    known: dict[str, str] = {}  # names by content
    given = [paths] if isinstance(paths, str | Path) else paths
    for path, found in find_files(map(Path, given)).items():
        name = free_name(shown_name(found), taken)
        digest = content_digest(path)
        if digest in known:
            results.append(copy_result(name, known[digest], digest))
            continue
        try:
            document = read_document(path, name)
        except DocumentError as error:
            results.append(FileResult(name, error=str(error)))
            continue
        pieces = split_passages(document, words)
        documents.append(document)
        passages.extend(pieces)
        counts = len(document.pages), len(pieces)
        results.append(FileResult(name, *counts, document.warnings, title=document.title, digest=digest))
        known[digest] = name
    return Collection(tuple(documents), tuple(passages), tuple(results))
