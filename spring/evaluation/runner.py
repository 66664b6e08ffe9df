"""Ask the questions of a file for several k and baselines, in batches: one row per answer.

A batch holds several questions and all answers of each: their passages are read one after the other into one cache,
aligned at the seam, and all answers are generated together (`spring.generation.stream`).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from spring.data.answers import normalize
from spring.data.questions import Question
from spring.data.types import Passage
from spring.errors import PromptError
from spring.evaluation.metrics import contained, score
from spring.generation.comparison import Comparison, ComparisonSettings, lay_out
from spring.generation.interface import Engine
from spring.generation.types import Answer, BaselineOrNone, GenerationRequest, Progress
from spring.rag.retriever import Hit, Retriever

USUAL_KS = (0, 1, 5, 10, 20, 30, 50)


class Row(NamedTuple):
    """One answer to one question, scored. The field names are the columns of `--output`."""

    id: str
    question: str
    virtual_tokens: int
    answer: str
    golden_answers: tuple[str, ...]
    exact_match: float
    f1: float
    contained: float
    first_line_exact_match: float
    baseline: BaselineOrNone  # "" for k > 0
    seconds: float  # until this answer was complete, divided by the number of questions in its batch
    passages_contain: float = 0.0  # 1 if a golden answer stands in a passage that the model sees, else 0
    set: str = ""  # the question file, where several are evaluated at once

    @property
    def key(self) -> tuple[str, int, BaselineOrNone]:
        """Identifies it in a run."""
        return self.id, self.virtual_tokens, self.baseline


class Done(NamedTuple):
    """The result of a batch; both are empty after a step of one, where the caller may show something or stop."""

    rows: tuple[Row, ...] = ()
    failed: tuple[str, ...] = ()  # questions that cannot be asked: "nq-7: The question is too long ..."


def evaluate(
    engine: Engine,
    questions: Sequence[Question],
    retriever: Retriever | None,
    settings: ComparisonSettings,
    batch_size: int | None = None,
) -> Iterator[Done]:
    """Answer and score questions for all k and baselines of the settings.

    Args:
        engine: generates.
        questions: those with passages of their own are asked with these, best first, at most `settings.passages`.
        retriever: finds the passages of the others.
        settings: the answers to each question, the number of passages, decoding.
        batch_size: questions answered at once; None: as many as suit the device.

    Yields:
        The rows of every batch when it is done, and an empty `Done` after every step before.

    Raises:
        PromptError: a setting out of range, or a question needs a retriever and there is none.

    """
    settings.check(len(engine.tokens))
    if retriever is None and (bare := [question.id for question in questions if not question.passages]):
        raise PromptError(f"Question {bare[0]} comes without passages: name the documents to search.")
    size = batch_size or default_batch_size(engine, settings)
    if size < 1:
        raise PromptError(f"The batch size must be at least 1, not {size}.")
    for start in range(0, len(questions), size):
        yield from _evaluate_batch(engine, questions[start : start + size], retriever, settings)


def usual_ks(n: int, usual: Sequence[int] = USUAL_KS) -> tuple[int, ...]:
    """The k to evaluate by default: the usual ones of n virtual tokens, and n."""
    return tuple(sorted({k for k in usual if k <= n} | {n}))


def remaining(
    questions: Sequence[Question], settings: ComparisonSettings, rows: Iterable[Row]
) -> list[tuple[ComparisonSettings, list[Question]]]:
    """What is left to ask when some rows exist already: questions that lack the same answers go together.

    Raises:
        PromptError: a row is of another question than the one with its id, or was scored by other golden answers.

    """
    asked = {question.id: (question.question, question.golden_answers) for question in questions}
    there = set()
    for row in rows:
        scored = row.question, row.golden_answers
        if asked.get(row.id, scored) != scored:
            raise PromptError(
                f"The rows hold another question with the id {row.id}, or other golden answers: choose another file."
            )
        there.add(row.key)
    groups: dict[ComparisonSettings, list[Question]] = {}
    for question in questions:
        ks = tuple(k for k in settings.virtual_tokens if (question.id, k, "" if k else "plain") not in there)
        words = tuple(baseline for baseline in settings.baselines if (question.id, 0, baseline) not in there)
        if ks or words:
            groups.setdefault(replace(settings, virtual_tokens=ks, baselines=words), []).append(question)
    return list(groups.items())


def default_batch_size(engine: Engine, settings: ComparisonSettings) -> int:
    """Questions at once: as many as fill a batch with all their answers."""
    return max(1, engine.rows_at_once // settings.answers)


def _evaluate_batch(
    engine: Engine, questions: Sequence[Question], retriever: Retriever | None, settings: ComparisonSettings
) -> Iterator[Done]:
    asked: list[tuple[Question, Comparison]] = []
    failed = []
    for question in questions:
        if not any(map(normalize, question.golden_answers)):  # a question file has none such
            failed.append(f"{question.id}: Its golden answers are nothing but articles and punctuation.")
            continue
        try:
            asked.append((question, _laid_out(engine, question, retriever, settings)))
        except PromptError as error:
            failed.append(f"{question.id}: {error}")
    requests = [request for _, comparison in asked for request in comparison.requests]
    answers = iter((yield from _answers(engine, requests, settings)))
    rows = [_row(question, it.hits, next(answers), len(asked)) for question, it in asked for _ in it.requests]
    yield Done(tuple(rows), tuple(failed))


def _answers(
    engine: Engine, requests: Sequence[GenerationRequest], settings: ComparisonSettings
) -> Generator[Done, None, tuple[Answer, ...]]:
    """Generate, with an empty `Done` after every step."""
    progress = Progress(())
    if requests:
        for progress in engine.stream(requests, replace(settings.decoding, drop_ended=True)):  # noqa: B007  # the last one is wanted
            yield Done()
    return progress.answers


def _row(question: Question, hits: Sequence[Hit], answer: Answer, questions: int) -> Row:
    return Row(
        question.id,
        question.question,
        answer.virtual_tokens,
        answer.text,
        question.golden_answers,
        *score(answer.text, question.golden_answers),
        answer.baseline,
        round(answer.seconds / questions, 3),
        float(any(holds_answer(hit.passage, question) for hit in hits)),
    )


def holds_answer(passage: Passage, question: Question) -> bool:
    """Whether one of the question's golden answers stands in a passage, or in its title."""
    return any(contained(passage.titled, golden) for golden in question.golden_answers)


def seen_passages(
    engine: Engine, question: Question, retriever: Retriever | None, settings: ComparisonSettings
) -> tuple[Passage, ...]:
    """The passages that a question is asked with, best first: found or its own, as many as fit into the context."""
    return tuple(hit.passage for hit in _laid_out(engine, question, retriever, settings).hits)


def _laid_out(
    engine: Engine, question: Question, retriever: Retriever | None, settings: ComparisonSettings
) -> Comparison:
    if question.passages or retriever is None:
        given = question.passages[: settings.passages]
        hits: Sequence[Hit] = [Hit(passage, 0.0, rank, ()) for rank, passage in enumerate(given, start=1)]
    else:
        hits = retriever.search(question.question, settings.passages)
    return lay_out(engine, question.question, hits, settings)
