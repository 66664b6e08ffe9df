"""How fast documents are read, in how much memory, and how many of a PDF's words arrive.

`python -m benchmarks.reading FOLDER... --old CHECKOUT` reads the files of each type with this checkout and with another
one, such as `git worktree add /tmp/old 0315bc0`, file by file in turns, each in a process of its own. Printed for each
type: the files that both could read, their megabytes and pages, processor seconds and peak memory (MB) of both,
how many times faster this one is, and the file that lost most. Without --old, this checkout alone. The other checkout's
libraries are found on PYTHONPATH (that one needs beautifulsoup4, which this one does not).

`--recall` takes the words of each PDF from PDFium as they stand, and counts how many the reader kept: of all, and
without the headers, footers and line numbers that it leaves out by design.

`--child` reads each file in this process and in a child of its own, as the page does, and prints for each type the
processor seconds of both and how many more the child takes: in the middle and at most.
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import pypdfium2 as pdfium

from spring.data.chunking import split_passages
from spring.data.collection import read_document
from spring.data.loaders.pdf_lines import HYPHEN
from spring.data.loaders.registry import FILE_TYPES, read_file
from spring.data.sandbox.files import parse_collection
from spring.errors import DocumentError

# Reads the files that it is told, and answers with the seconds, in this checkout's layout or in that of 0.1.0.
WORKER = """
import json, resource, sys, time, warnings, logging
from pathlib import Path
warnings.simplefilter("ignore"); logging.disable()
try:
    from spring.data.chunking import split_passages
    from spring.data.collection import read_document
except ImportError:
    from spring.documents import read_document, split_passages
from spring.errors import DocumentError
for line in sys.stdin:
    started = time.process_time()
    try:
        document = read_document(Path(json.loads(line)))
        split_passages(document)
        pages = len(document.pages)
    except (DocumentError, RecursionError):
        pages = 0
    seconds = time.process_time() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "pages": pages, "memory": memory}), flush=True)
"""
WORD = re.compile(r"\w+")


class Worker:
    """A process that reads files with the code of one checkout."""

    def __init__(self, checkout: Path) -> None:
        command = [sys.executable, "-c", WORKER]
        self._process = subprocess.Popen(
            command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def read(self, path: Path) -> dict[str, Any]:
        """Seconds, pages (none of a file that could not be read), and the peak memory so far in MB."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def files_by_type(folders: Iterable[Path], most: int) -> dict[str, list[Path]]:
    """The files of each type, at most so many: evenly among all in the order of their names."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path.absolute() for folder in folders for path in folder.rglob("*") if path.is_file()):
        if path.suffix.lower() in FILE_TYPES:
            found[path.suffix.lower()].append(path)
    return {suffix: paths[:: max(1, -(-len(paths) // most))] for suffix, paths in sorted(found.items())}


def compare_speed(suffix: str, paths: Sequence[Path], checkouts: Sequence[Path]) -> dict[str, object]:
    """Read files in turns; a row of the table."""
    workers = [Worker(checkout) for checkout in checkouts]
    try:
        for worker in workers:
            worker.read(paths[0])  # what it imports does not count
        rows = []
        for number, path in enumerate(paths):
            order = workers if number % 2 else workers[::-1]
            answers = {id(worker): worker.read(path) for worker in order}
            row = [answers[id(worker)] for worker in workers]
            if all(answer["pages"] for answer in row):
                rows.append((path, row))
    finally:
        for worker in workers:
            worker.close()
    if not rows:
        return {"type": suffix, "files": 0}
    seconds = [sum(row[place]["seconds"] for _, row in rows) for place in range(len(workers))]
    table: dict[str, object] = {
        "type": suffix,
        "files": len(rows),
        "MB": round(sum(path.stat().st_size for path, _ in rows) / 1e6, 1),
        "pages": sum(row[0]["pages"] for _, row in rows),
        "seconds": [round(value, 2) for value in seconds],
        "memory": [round(max(row[place]["memory"] for _, row in rows)) for place in range(len(workers))],
    }
    if len(workers) > 1:
        slower = max(rows, key=lambda row: row[1][0]["seconds"] - row[1][1]["seconds"])
        table["times faster"] = round(seconds[1] / seconds[0], 2)
        worst, (new, old) = slower
        table["most lost"] = f"{new['seconds'] - old['seconds']:+.2f} s: {worst.name}"
    return table


# --- the child ---


def child_cost(suffix: str, paths: Iterable[Path]) -> dict[str, object]:
    """Processor seconds of reading files here and in children, each started anew for its file; a row of the table."""
    here, child = list[float](), list[float]()
    for path in paths:
        started = time.process_time()
        try:
            split_passages(read_document(path))
        except DocumentError:
            continue
        here.append(time.process_time() - started)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        parse_collection([path])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        child.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    more = [there - own for own, there in zip(here, child, strict=True)]
    if not more:
        return {"type": suffix, "files": 0}
    return {
        "type": suffix,
        "files": len(more),
        "seconds here": round(sum(here), 2),
        "seconds in children": round(sum(child), 2),
        "more for a file: median": round(median(more), 3),
        "more for a file: most": round(max(more), 3),
    }


# --- words ---


def raw_words(path: Path) -> Counter[str]:
    """The words of a PDF as PDFium finds them, those that a line's end cuts put together."""
    document = pdfium.PdfDocument(path)
    try:
        texts = [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()
    text = re.sub(rf"{HYPHEN}+\s*|[-\u00ad‐]\r?\n", "", "\n".join(texts))
    return Counter(WORD.findall(text.lower()))


def kept_words(path: Path) -> Counter[str]:
    """The words of a PDF as the reader gives them; hyphens join, as it is a matter of taste which of them stay."""
    text = "\n".join(page.text for page in read_file(path).pages)
    return Counter(WORD.findall(text.lower()))


def recall(paths: Iterable[Path]) -> dict[str, object]:
    """How many of the words arrive, and which do not, the headers and footers kept for once."""
    total = Counter[str]()
    lost, lost_of_text = Counter[str](), Counter[str]()
    worst = []
    for path in paths:
        try:
            there, kept = raw_words(path), kept_words(path)
            kept_all: dict[str, Any] = {"remove_running": lambda pages: None, "remove_line_numbers": lambda page: None}
            with patch.multiple("spring.data.loaders.pdf_layout", **kept_all):
                whole = kept_words(path)
        except (DocumentError, pdfium.PdfiumError):
            continue
        total += there
        lost += there - kept
        lost_of_text += there - whole
        worst.append((sum((there - whole).values()), path.name, (there - whole).most_common(8)))
    count = sum(total.values())
    return {
        "PDFs": len(worst),
        "words": count,
        "recall": round(1 - sum(lost.values()) / count, 4),
        "recall without headers, footers and line numbers": round(1 - sum(lost_of_text.values()) / count, 4),
        "most lost": sorted(worst, reverse=True)[:12],
    }


def main() -> None:
    """Measure, and print a line for each type."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--old", type=Path, help="another checkout")
    parser.add_argument("--files", type=int, default=60, help="of each type at most")
    parser.add_argument("--types", nargs="+", default=FILE_TYPES)
    parser.add_argument("--recall", action="store_true")
    parser.add_argument("--child", action="store_true")
    options = parser.parse_args()
    found = files_by_type(options.folders, options.files)
    if options.recall:
        print(json.dumps(recall(found.get(".pdf", [])), ensure_ascii=False, indent=1))
        return
    checkouts = [Path.cwd(), *([options.old] if options.old else [])]
    for suffix in options.types:
        if suffix in found:
            cost = child_cost(suffix, found[suffix]) if options.child else None
            row = cost or compare_speed(suffix, found[suffix], checkouts)
            print(json.dumps(row, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
