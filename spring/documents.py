"""A user's files as `Document`s, and these as `Passage`s of about 100 words that know their place.

What a file says is the business of `spring.readers`, where to cut it that of `spring.splitting`; here are the
names, the numbers and the titles, and one line for the user on each file, good or bad. Passages are those of
DPR and FlashRAG: about 100 words below the title of their page.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

from spring.errors import DocumentError
from spring.readers import FILE_TYPES, Page, read_pages
from spring.splitting import cuts
from spring.text import clean_text, one_line

__all__ = [
    "FILE_TYPES",
    "Collection",
    "Document",
    "FileResult",
    "Page",
    "Passage",
    "free_name",
    "read_collection",
    "read_document",
    "shown_name",
    "split_passages",
]


@dataclass(frozen=True, slots=True)
class Document:
    """The pages of one file in order (some may be empty), and what the user should know of the reading."""

    name: str
    pages: tuple[Page, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.pages:
            raise ValueError("A document has a name and at least one page.")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of one page. page: from 1. index: its place among all passages of the document, from 0."""

    document: str
    page: int
    index: int
    text: str

    def __post_init__(self) -> None:
        if self.page < 1 or self.index < 0 or not self.text.strip():
            raise ValueError("A passage has text, a page from 1 and an index from 0.")


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file. error: the sentence of its DocumentError, name included, or None."""

    name: str
    pages: int = 0
    passages: int = 0
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def line(self) -> str:
        """One line for the user, such as `report.pdf: 12 pages, 31 passages; pages 2 and 5 have no text`."""
        if self.error is not None:
            return self.error
        counts = f"{_count(self.pages, 'page')}, {_count(self.passages, 'passage')}"
        return "; ".join((f"{self.name}: {counts}", *self.warnings))


@dataclass(frozen=True, slots=True)
class Collection:
    """All that was read from a user's files. results: one for each file, in the order of reading.

    documents: none of a visitor's upload, of which the passages alone are kept.
    """

    documents: tuple[Document, ...]
    passages: tuple[Passage, ...]
    results: tuple[FileResult, ...]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def split_passages(document: Document, words: int = 100) -> list[Passage]:
    """Cut each page into passages of about `words` words; none crosses a page, none cuts a word.

    A page of up to 1.2 * `words` words is one passage. What counts as a word, and what may be cut inside one after
    all, is in `spring.splitting`. Below its title a passage is an exact slice of its page.
    """
    if words < 1:
        raise ValueError("A passage has at least one word.")
    passages: list[Passage] = []
    for number, page in enumerate(document.pages, 1):
        places = [0, *cuts(page.text, words), len(page.text)]
        for piece in filter(None, (page.text[start:end].strip() for start, end in pairwise(places))):
            titled = not page.title or piece.partition("\n")[0] == page.title
            text = piece if titled else f"{page.title}\n{piece}"
            passages.append(Passage(document.name, number, len(passages), text))
    return passages


def read_document(path: Path, name: str | None = None) -> Document:
    """Read a file of one of FILE_TYPES. name: what to call it, by default the name of the file.

    Raises DocumentError: one sentence with the name, what was wrong and what to do.
    """
    name = shown_name(name or path.name)
    try:
        pages, warnings = read_pages(path)
    except DocumentError as error:
        raise DocumentError(f"{name}: {error}") from error
    return Document(name, tuple(pages), tuple(warnings))


def _find_files(paths: Iterable[Path]) -> dict[Path, str]:
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
    """A file's name as one clean line."""
    return one_line(clean_text(name)) or "file"


def free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` and so on, so that no two documents are called the same."""
    free = next(free for n in count(1) if (free := name if n == 1 else f"{name} ({n})") not in taken)
    taken.add(free)
    return free


def read_collection(paths: Iterable[Path], words: int = 100) -> Collection:
    """Read files, and the files in folders, into passages of about `words` words.

    A bad file raises nothing: its FileResult says what was wrong, and the others are read.
    """
    documents: list[Document] = []
    passages: list[Passage] = []
    results: list[FileResult] = []
    taken: set[str] = set()
    for path, found in _find_files(paths).items():
        name = free_name(shown_name(found), taken)
        try:
            document = read_document(path, name)
        except DocumentError as error:
            results.append(FileResult(name, error=str(error)))
            continue
        pieces = split_passages(document, words)
        documents.append(document)
        passages.extend(pieces)
        results.append(FileResult(name, len(document.pages), len(pieces), document.warnings))
    return Collection(tuple(documents), tuple(passages), tuple(results))
