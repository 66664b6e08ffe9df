"""Build an index folder (`spring.rag.index`): several processes make terms, one writes them.

Beside tantivy's files lie the names of the documents by their content, so that no file is added twice. The data goes
to a folder of its own, and the manifest, which names it, is replaced last: killed at any moment, the old
index is still whole, and the next build removes what was left. Adding works on hard links to the old data, whose files
are never changed in place.
"""

import hashlib
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from spring.data.cleaning import without_surrogates
from spring.data.copies import content_digest, copy_result
from spring.data.corpus import FLASHRAG, Fields, batches, holds_rows, opened
from spring.data.sandbox.files import local_files, local_limits, read_each
from spring.data.types import FileResult, Passage
from spring.errors import DocumentError
from spring.rag.index_fields import document_of, register, schema
from spring.rag.index_folder import FORMAT, VERSION, Manifest, link_files, locked, remove_leftovers
from spring.rag.index_terms import TermsWriter
from spring.rag.index_workers import Batch, Work, prepared
from spring.rag.terms import RULES

BATCH = 1_000  # rows or passages that a process makes terms of at once
HEAP = 256 * 2**20  # bytes that tantivy collects before it writes
FILES = "files.json"

Report: TypeAlias = Callable[[int, int], None]  # passages so far, bytes of the input read so far


@dataclass
class Built:
    """What became of the files of a build."""

    passages: int = 0
    documents: int = 0
    terms: int = 0
    languages: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)  # files that could not be read, a sentence each
    copies: list[str] = field(default_factory=list)  # files with the content of another one, a line each
    skipped: Counter[str] = field(default_factory=Counter)  # rows without a passage, by file and reason
    files: dict[str, str] = field(default_factory=dict)  # names by content, also of what was in the index before


def build_index(
    paths: Sequence[Path],
    output: Path,
    fields: Fields = FLASHRAG,
    *,
    add: bool = False,
    processes: int | None = None,
    report: Report = lambda passages, position: None,
) -> Built:
    """Index files and folders; the index that was there is replaced, or added to.

    Raises:
        DocumentError: nothing could be read, the output is another kind of folder, the disk is full, and so on. Then
            the index that was there has not changed.

    """
    files = local_files(paths)
    built = Built()
    return write_index(_works(files, fields, built), output, built, add=add, processes=processes, report=report)


def index_passages(passages: Iterable[Passage], output: Path, *, add: bool = False) -> Built:
    """Index passages that are there already, see `build_index`."""
    works = (Work(passages=batch) for batch in _chunks(passages, BATCH))
    return write_index(works, output, Built(documents=1), add=add)


def write_index(
    works: Iterable[Work],
    output: Path,
    built: Built,
    *,
    add: bool = False,
    processes: int | None = None,
    report: Report = lambda passages, position: None,
) -> Built:
    """Write the index of all that comes, and name it in the manifest when it is whole."""
    if without_surrogates(str(output)) != str(output):
        raise DocumentError(f"{output} cannot be used as a folder for an index: choose a name in UTF-8.")
    with locked(output):
        old = Manifest.read(output) if add else None
        remove_leftovers(output)
        data = output / f"data-{uuid.uuid4().hex[:12]}"
        digest = hashlib.sha256(old.fingerprint.encode() if old else b"")
        try:
            data.mkdir()
            if old:
                link_files(output / old.data, data)
                if (data / FILES).is_file():  # indexes of before 0.2.0 have none
                    built.files.update(json.loads((data / FILES).read_bytes()))
            with prepared(works, processes) as ready:
                _fill(data, old.passages if old else 0, ready, built, digest, report)
            if not built.passages:
                reasons = "; ".join([*built.errors, *built.copies]) or _reasons(built)
                raise DocumentError(f"No document could be read: {reasons}.")
            (data / FILES).write_text(json.dumps(built.files, ensure_ascii=False), encoding="utf-8")
            _manifest(data, built, old, digest.hexdigest()).write(output)
        except OSError as error:
            raise DocumentError(f"The index could not be written to {output} ({error.strerror or error}).") from error
        finally:
            remove_leftovers(output)
    return built


def _reasons(built: Built) -> str:
    return "; ".join(f"{reason} ({count:,} rows)" for reason, count in built.skipped.items()) or "there are no files"


def _works(files: Sequence[tuple[Path, str]], fields: Fields, built: Built) -> Iterator[Work]:
    """The rows of JSON Lines files, and the passages of all others, which are read in a child with limits."""
    done = 0
    for path, name in (file for file in files if holds_rows(file[0])):
        digest = content_digest(path)
        if digest in built.files:
            built.copies.append(copy_result(name, built.files[digest], digest).line)
            continue
        with opened(path) as (rows, file):
            for first, lines in batches(rows, BATCH):
                yield Work(lines, name, first, fields, position=done + file.tell())
        done += path.stat().st_size
        built.documents += 1
        built.files[digest] = name
    others = [(path, name) for path, name in files if not holds_rows(path)]
    if others:
        before = [FileResult(name, pages=1, digest=digest) for digest, name in built.files.items()]
        read = read_each(others, local_limits(others), before=before)
        for (path, _), (result, passages) in zip(others, read, strict=True):
            done += path.stat().st_size if os.path.isfile(path) else 0
            if result.error is not None:
                built.errors.append(result.error)
                continue
            if not result.pages:
                built.copies.append(result.line)
                continue
            built.documents += 1
            built.files[result.digest] = result.name
            for batch in _chunks(passages, BATCH):
                yield Work(passages=batch, position=done)


def _chunks(passages: Iterable[Passage], size: int) -> Iterator[list[Passage]]:
    rest = iter(passages)
    while batch := list(islice(rest, size)):
        yield batch


def _fill(
    data: Path, first: int, ready: Iterator[Batch], built: Built, digest: "hashlib._Hash", report: Report
) -> None:
    """Write the files of the data; the passages are numbered from `first`."""
    import tantivy

    begun = next(ready, None)  # so that nothing is written where nothing can be read
    if begun is None:
        return
    index = tantivy.Index.open(str(data)) if first else tantivy.Index(schema(), path=str(data))
    register(index)
    writer = index.writer(HEAP, 1)
    with TermsWriter(data, first) as terms:
        for batch in chain([begun], ready):
            passages = zip(batch.terms, batch.ids, batch.packed, strict=True)
            for order, (words, id, packed) in enumerate(passages, first + built.passages):
                writer.add_document(document_of(words, id, order, packed))
                digest.update(packed)
            terms.add(batch.digests, batch.lengths)
            built.passages += len(batch.lengths)
            built.terms += sum(batch.lengths)
            built.languages += batch.languages
            built.skipped += batch.skipped
            report(built.passages, batch.position)
    writer.commit()
    writer.wait_merging_threads()


def _manifest(data: Path, built: Built, old: Manifest | None, fingerprint: str) -> Manifest:
    manifest = Manifest(
        format=FORMAT,
        version=VERSION,
        rules=RULES,
        tantivy=version("tantivy"),
        data=data.name,
        passages=built.passages,
        documents=built.documents,
        terms=built.terms,
        languages=dict(built.languages.most_common()),
        fingerprint=fingerprint,
    )
    if old is None:
        return manifest
    languages = Counter(old.languages) + built.languages
    return manifest.model_copy(
        update={
            "passages": old.passages + built.passages,
            "documents": old.documents + built.documents,
            "terms": old.terms + built.terms,
            "languages": dict(languages.most_common()),
        }
    )
