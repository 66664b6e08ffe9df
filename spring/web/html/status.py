"""Render lines about what is going on: waiting, reading, answering, and the files read."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from spring.data.types import FileResult
from spring.web.html.text import escape

if TYPE_CHECKING:
    from spring.generation.comparison import Comparison


def progress_line(comparison: "Comparison") -> str:
    """One sentence on what is going on, or what came of it."""
    progress = comparison.progress
    if not comparison.hits:
        source = "Answered from memory" if progress.done else "Answering from memory …"
        return f"{source}." if progress.done else source
    if not any(answer.new_tokens or answer.ended for answer in progress.answers):
        if not progress.prefix_tokens:
            return "Reading the passages …"
        if progress.preparing:
            return "The passages are read; preparing the graphics card …"
        return f"Reading the passages: {progress.prefix_read} of {progress.prefix_tokens} tokens …"
    if progress.prefix_hits:
        source = f"{progress.prefix_tokens} passage tokens taken from the cache: these passages were read before"
    else:
        source = (
            f"{progress.prefix_tokens} passage tokens read once for all answers in {progress.prefill_seconds:.1f} s"
        )
    return f"{source}." if progress.done else f"{source}; answering …"


def queue_line(place: int) -> str:
    """Where somebody is in the queue; 1 is the next."""
    return "Waiting: you are next." if place == 1 else f"Waiting: number {place} in the queue."


def status(text: str, notes: Iterable[str] = (), kind: str = "") -> str:
    """The status line; `kind` is "error" for what needs the visitor's attention."""
    role = "alert" if kind == "error" else "status"
    lines = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    return f'<div class="status {kind}" role="{role}"><p>{escape(text)}</p>{lines}</div>'


def file_list(results: Sequence[FileResult]) -> str:
    """One line for each file that was read, or not."""
    # What went wrong comes first, where it is seen.
    ordered = sorted(results, key=lambda result: (result.error is None, not result.warnings))
    lines = "".join(
        f'<li class="{"bad" if result.error else "warned" if result.warnings else "good"}">{escape(result.line)}</li>'
        for result in ordered
    )
    return f'<ul class="files" aria-label="Files read" tabindex="0">{lines}</ul>'
