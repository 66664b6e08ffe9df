"""The same file twice, by its content: its copy would take a second place among the passages of an answer."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from spring.data.types import FileResult


def content_digest(path: Path) -> str:
    """SHA-256 of a file; "" of what is none or cannot be opened, which is left to the reader to say."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def copy_result(name: str, first: str, digest: str) -> FileResult:
    """What became of a file whose content was read before, under the name `first`."""
    return FileResult(name, warnings=(f"the same file as {first}, which is read once",), digest=digest)


def without_copies(files: Sequence[tuple[Path, str]]) -> tuple[list[tuple[Path, str]], list[str]]:
    """Large files, each content once, and a line for each copy. Only files of the same size are compared."""
    sizes = {path: path.stat().st_size if path.is_file() else -1 for path, _ in files}
    often = Counter(sizes.values())
    kept: list[tuple[Path, str]] = []
    lines: list[str] = []
    known: dict[str, str] = {}  # names by content
    for path, name in files:
        digest = content_digest(path) if often[sizes[path]] > 1 else ""
        if digest and digest in known:
            lines.append(copy_result(name, known[digest], digest).line)
            continue
        known[digest] = name
        kept.append((path, name))
    return kept, lines
