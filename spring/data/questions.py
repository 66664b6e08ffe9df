"""Question files: JSON Lines as FlashRAG and SPRING write them, or one JSON list of such rows, and CSV.

A bad row is skipped, with its reason.

FlashRAG (https://github.com/RUC-NLPIR/FlashRAG): `id`, `question`, `golden_answers`.
SPRING's training format: `question`, `target` (a string or a list), `ret_passages` (strings, or objects with
`contents` or `title` and `text`): those passages are used, nothing is retrieved.
CSV: a header with `question` and `answer`; several answers are parted by `|`.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spring.data.cleaning import without_surrogates
from spring.data.encoding import decode
from spring.data.text_size import text_bytes
from spring.data.types import LONGEST_TITLE, Passage
from spring.errors import DocumentError

ANSWER_SEPARATOR = "|"
QUESTION_TYPES = (".jsonl", ".json", ".csv", ".tsv")
MOST_GOLDEN_ANSWERS = 1_000  # of one question: every answer is compared with each
_SHOWN = 5  # reasons that one sentence names


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its golden answers."""

    id: str
    question: str
    golden_answers: tuple[str, ...]
    passages: tuple[Passage, ...] = ()  # given with the question, best first: then nothing is retrieved
    gold_passage: str = ""  # the corpus row that holds the answer, where the file names it


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The good rows of a question file, and why the others were skipped."""

    questions: tuple[Question, ...]
    skipped: tuple[str, ...] = ()  # "row 7: no question"

    @property
    def nbytes(self) -> int:
        """About the memory that the rows take."""
        texts = (text for q in self.questions for text in (q.id, q.question, *q.golden_answers))
        passages = (passage.titled for question in self.questions for passage in question.passages)
        return text_bytes(texts) + text_bytes(passages)

    @property
    def note(self) -> str:
        """One sentence on the rows that were skipped; empty if none was."""
        if not self.skipped:
            return ""
        more = len(self.skipped) - _SHOWN
        reasons = "; ".join(self.skipped[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        return f"{len(self.skipped)} row{'s' if len(self.skipped) > 1 else ''} skipped: {reasons}."


def read_questions(path: str | Path) -> QuestionSet:
    """Read the questions of a file, in order.

    A missing `id` becomes the row's number; a repeated one gets the number added, so that ids are unique.

    Raises:
        DocumentError: the file cannot be read, or no row of it is a question with golden answers.

    """
    path = Path(path)
    if path.suffix.lower() not in QUESTION_TYPES:
        raise DocumentError(f"{path.name} is no question file: it must be {', '.join(QUESTION_TYPES)}.")
    try:
        text, _ = decode(path.read_bytes())
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror}).") from error
    except DocumentError as error:
        raise DocumentError(f"{path.name}: {error}.") from error
    rows = _csv_rows(text) if path.suffix.lower() in (".csv", ".tsv") else _json_rows(text)
    questions: dict[str, Question] = {}
    skipped = []
    for number, row in rows:
        question = _question(number, row)
        if isinstance(question, str):
            skipped.append(f"row {number}: {question}")
            continue
        if question.id in questions:
            question = replace(question, id=f"{question.id} (row {number})")
        questions[question.id] = question
    result = QuestionSet(tuple(questions.values()), tuple(skipped))
    if not questions:
        raise DocumentError(
            f"{path.name} has no row with a question and golden answers. "
            + (result.note or 'JSON Lines need "question" and "golden_answers", CSV a header with question,answer.')
        )
    return result


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and value of each row; an error that says why where there is no value."""
    if text.lstrip().startswith("[") and (rows := _json_list(text)) is not None:
        yield from enumerate(rows, start=1)
        return
    # Not splitlines: JSON may hold U+2028 as it is.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except RecursionError:
                yield number, ValueError("nested too deeply")
            except ValueError:  # also a number of more digits than Python converts
                yield number, ValueError("not valid JSON")


def _json_list(text: str) -> list[Any] | None:
    """The rows of a file that is one JSON list; None if it is none."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return rows if isinstance(rows, list) else None


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    header_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=header_line.count)
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 2))  # the limit is the whole process's
    rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    header = [name.strip().lower() for name in next(rows, [])]
    number = 1
    while True:
        number += 1
        try:
            row = next(rows, None)
        except csv.Error:  # such as a NUL
            yield number, ValueError("not valid CSV")
            continue
        if row is None:
            return
        if any(map(str.strip, row)):
            many = len(row) > len(header)
            yield number, ValueError("more cells than columns") if many else dict(zip(header, row, strict=False))


def _question(number: int, row: Any) -> Question | str:
    """The question that a row holds, or the reason why it holds none."""
    if not isinstance(row, Mapping):
        return str(row) if isinstance(row, ValueError) else "not an object"
    text = row.get("question")
    if not isinstance(text, str) or not text.strip():
        return "no question"
    golden = _golden_answers(row)
    if not golden:
        return "no golden answer"
    if len(golden) > MOST_GOLDEN_ANSWERS:
        return f"more than {MOST_GOLDEN_ANSWERS:,} golden answers"
    passages = tuple(_passages(row.get("ret_passages")))
    if row.get("ret_passages") and not passages:
        return "ret_passages hold no text"
    metadata = row.get("metadata")
    gold = metadata.get("gold_passage") if isinstance(metadata, Mapping) else None
    name = row.get("id")
    identity = str(name) if isinstance(name, str | int) and str(name).strip() else str(number)
    return Question(_clean(identity), _clean(text), golden, passages, "" if gold is None else str(gold))


def _golden_answers(row: Mapping[str, Any]) -> tuple[str, ...]:
    if isinstance(answer := row.get("answer"), str) and "golden_answers" not in row and "target" not in row:
        given: Any = answer.split(ANSWER_SEPARATOR)
    else:
        given = row.get("golden_answers", row.get("target"))
    listed = given if isinstance(given, list) else [given]
    # Numbers, such as years, are written without quotation marks now and then.
    texts = (_clean(str(value)) for value in listed if isinstance(value, str | int | float))
    return tuple(dict.fromkeys(filter(None, texts)))


def _passages(given: Any) -> Iterator[Passage]:
    for place, value in enumerate(given if isinstance(given, list) else ()):
        title = ""
        if isinstance(value, Mapping):
            contents = value.get("contents")
            parts = [contents] if isinstance(contents, str) else [value.get("title"), value.get("text")]
            value = _clean("\n".join(part for part in parts if isinstance(part, str)))
            first, _, rest = value.partition("\n")
            if rest.strip() and len(first) <= LONGEST_TITLE:
                title, value = first, rest
        if isinstance(value, str) and (text := value if title else _clean(value)):
            yield Passage("given with the question", 1, place, text, title=title)


def _clean(text: str) -> str:
    """The text as a tokenizer takes it, without outer white space."""
    return without_surrogates(text).strip()
