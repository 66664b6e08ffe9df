"""A visitor's evaluation: what is asked, how far it is, and how long it may still go on."""

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
    """The questions of one run and what has come of them."""

    questions: tuple[Question, ...]
    limit: float  # seconds
    notes: tuple[str, ...] = ()  # what the visitor should know, a sentence each
    rows: list["Row"] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _latest: float = 0.0  # seconds until the latest batch was done

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started

    @property
    def done(self) -> int:
        """Questions that were asked and answered, or could not be asked."""
        return len({row.id for row in self.rows}) + len(self.failed)

    @property
    def complete(self) -> bool:
        """Whether no question is left."""
        return self.done == len(self.questions)

    @property
    def out_of_time(self) -> bool:
        """Whether the limit has come."""
        return self.seconds >= self.limit

    @property
    def seconds_left(self) -> float | None:
        """Until it is complete or its time is over; None until the first answers tell how long one takes."""
        answered = self.done - len(self.failed)
        if not answered or self.complete:
            return None
        whole = self._latest / answered * (len(self.questions) - len(self.failed))
        return max(0.0, min(whole, self.limit) - self.seconds)

    def add(self, done: "Done") -> bool:
        """Take over the rows of a batch; whether there are any."""
        self.rows += done.rows
        self.failed += done.failed
        news = bool(done.rows or done.failed)
        if news:
            self._latest = self.seconds
        return news


def first_questions(
    questions: Sequence[Question], limit: int, most: int
) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions that one run takes, and what there is to say of the others.

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
    """The questions that are worth a tokenizer's time, and of each other one that it is too long."""
    good, failed = [], []
    for question in questions:
        if len(question.question) + sum(len(passage.titled) for passage in question.passages) <= LONGEST_PROMPT:
            good.append(question)
        else:
            failed.append(
                f"{question.id}: The question and its passages are longer than {LONGEST_PROMPT:,} characters."
            )
    return good, failed
