"""The folder of an index on disk: its manifest, who may write it, and what an interrupted build left in it."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from spring.errors import DocumentError
from spring.rag.terms import RULES

MANIFEST = "manifest.json"
FORMAT = "spring-index"
VERSION = 2


class Manifest(BaseModel):
    """What an index folder says of itself."""

    format: str
    version: int
    rules: int  # of the terms, `spring.rag.terms.RULES`
    tantivy: str  # the version that wrote the data
    data: str  # the folder with the data
    passages: int
    documents: int  # files
    terms: int  # of all passages, repeated as often as they occur
    languages: dict[str, int]  # passages in each
    fingerprint: str  # a digest of all that was put in

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of an index.

        Raises:
            DocumentError: the folder holds no index, or one that this version cannot read.

        """
        foreign = f"{folder} is no index of this program: its {MANIFEST} is damaged or another's."
        try:
            manifest = cls.model_validate_json((folder / MANIFEST).read_bytes())
        except OSError as error:
            raise DocumentError(f"{folder} is no index: it has no {MANIFEST}; make one with `spring index`.") from error
        except ValidationError as error:
            raise DocumentError(foreign) from error
        if manifest.format != FORMAT:
            raise DocumentError(foreign)
        if (manifest.version, manifest.rules) != (VERSION, RULES):
            age = "a newer" if (manifest.version, manifest.rules) > (VERSION, RULES) else "an older"
            raise DocumentError(
                f"{folder} was made by {age} version of this program: make it anew with `spring index`."
            )
        if Path(manifest.data).name != manifest.data or not (folder / manifest.data).is_dir():
            raise DocumentError(f"{folder} is not complete: its data is not there; make it anew with `spring index`.")
        return manifest

    def write(self, folder: Path) -> None:
        """Write it beside the data, then put it in the place of the old one in one step."""
        temporary = folder / self.data / MANIFEST
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=2))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / MANIFEST)


def is_index(path: Path) -> bool:
    """Whether a path is a folder with a manifest, which says it is an index (right or not)."""
    return os.path.isfile(path / MANIFEST)


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Keep other builds out of the folder, which is made if it is not there.

    Raises:
        DocumentError: another build is at work, or the folder holds something else.

    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        others = [path.name for path in output.iterdir() if not path.name.startswith((".lock", "data-"))]
        if others and not is_index(output):
            raise DocumentError(f"{output} is no index and not empty: choose another folder for --output.")
        with (output / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DocumentError(
                    f"{output} is being written by another `spring index`: wait for its end."
                ) from error
            yield
    except OSError as error:
        raise DocumentError(f"{output} cannot be used as a folder for an index ({error.strerror}).") from error


def remove_leftovers(output: Path) -> None:
    """Remove the data that no manifest names."""
    kept = json.loads((output / MANIFEST).read_bytes())["data"] if is_index(output) else None
    for path in output.glob("data-*"):
        if path.name != kept:
            shutil.rmtree(path, ignore_errors=True)


def link_files(old: Path, new: Path) -> None:
    """Begin new data with the files of the old, which are never changed in place."""
    for file in old.iterdir():
        if file.suffix == ".json":  # written anew by tantivy, and so small that a copy costs nothing
            shutil.copy2(file, new / file.name)
        elif not file.name.endswith(".lock"):
            try:
                os.link(file, new / file.name)
            except OSError:  # a file system without hard links
                shutil.copy2(file, new / file.name)
