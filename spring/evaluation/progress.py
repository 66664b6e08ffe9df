"""The progress of an evaluation with a time limit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spring.data.questions import Question
from spring.errors import PromptError

if TYPE_CHECKING:
    from spring.evaluation.runner import Done, Row

LONGEST_PROMPT = 100_000  # characters of a question and its passages: far beyond what any model here takes


@dataclass
class EvaluationRun:
    """The questions of one run, its rows so far and its time."""

    questions: tuple[Question, ...]
    limit: float  # seconds
    notes: tuple[str, ...] = ()  # for the visitor, a sentence each
    rows: list["Row"] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _latest: float = 0.0  # seconds from the start to the end of the latest batch

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def done(self) -> int:
        """Number of questions that are answered or could not be asked."""
        return len({row.id for row in self.rows}) + len(self.failed)

    @property
    def complete(self) -> bool:
        """Whether no question is left."""
        return self.done == len(self.questions)

    @property
    def out_of_time(self) -> bool:
        """Whether the time limit is reached."""
        return self.seconds >= self.limit

    @property
    def seconds_left(self) -> float | None:
        """Estimated time until it is complete or at its limit; None before the first answers, and at the end."""
        answered = self.done - len(self.failed)
        if not answered or self.complete:
            return None
        whole = self._latest / answered * (len(self.questions) - len(self.failed))
        return max(0.0, min(whole, self.limit) - self.seconds)

    def add(self, done: "Done") -> bool:
        """Add the rows of a batch; whether there are any."""
        self.rows += done.rows
        self.failed += done.failed
        news = bool(done.rows or done.failed)
        if news:
            self._latest = self.seconds
        return news


def first_questions(
    questions: Sequence[Question], limit: int, most: int
) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions that one run takes, and a note on the others.

    Raises:
        PromptError: the limit is not 1 to `most`.

    """
    if not 1 <= limit <= most:
        raise PromptError(f"One run takes 1 to {most} questions, not {limit}.")
    if len(questions) <= limit:
        return tuple(questions), ()
    why = f": one run takes {most} at most" if limit == most else ""
    return tuple(questions[:limit]), (f"The first {limit} of {len(questions)} questions are asked{why}.",)


def without_too_long(questions: Sequence[Question]) -> tuple[list[Question], list[str]]:
    """The questions short enough to be tokenized, and a line on each other one."""
    good, failed = [], []
    for question in questions:
        if len(question.question) + sum(len(passage.titled) for passage in question.passages) <= LONGEST_PROMPT:
            good.append(question)
        else:
            failed.append(
                f"{question.id}: The question and its passages are longer than {LONGEST_PROMPT:,} characters."
            )
    return good, failed
