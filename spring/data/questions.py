"""Question files: rows of JSON (lines, a list, SQuAD's tree) and tables (CSV, TSV, with pipes).

A bad row is skipped, with its reason. Names of columns count without case.

FlashRAG (https://github.com/RUC-NLPIR/FlashRAG): `id`, `question`, `golden_answers`.
SPRING's training format: `question`, `target` (a string or a list), `ret_passages` (strings, or objects with
`contents` or `title` and `text`): those passages are used, nothing is retrieved.
SQuAD (a tree, or rows with `answers`: {`text`: [...]}), NQ-open (`answer`: a list), TriviaQA (`answer`: {`value`,
`aliases`}), PopQA (`possible_answers`: a list in JSON in a table).
Tables: a header with `question` and `answer`; several answers are parted by `|`, or written as a list.
"""

import ast
import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spring.data.cleaning import one_line, without_surrogates
from spring.data.encoding import decode
from spring.data.rows import json_rows, json_value, read_table
from spring.data.text_size import text_bytes
from spring.data.types import LONGEST_TITLE, Passage
from spring.errors import DocumentError

ANSWER_SEPARATOR = "|"
QUESTION_TYPES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
_TABLES = (".csv", ".tsv")
_QUESTIONS = ("question", "query", "question_text", "prompt", "input")
_ANSWERS: tuple[str, ...] = ("golden_answers", "target", "answers", "possible_answers", "answer", "golden_answer")
_ANSWERS += ("gold_answers", "ground_truth", "ground_truths", "reference", "references", "output", "response")
_IDS = ("id", "question_id", "questionid", "qid", "_id")
_LONGEST_LIST = 100_000  # characters of a list in the cell of a table
_MOST_NAMES = 12  # of columns that an error names
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


def read_questions(path: Path) -> QuestionSet:
    """Read the questions of a file, in order.

    A missing `id` becomes the row's number; a repeated one gets the number added, so that ids are unique.

    Raises:
        DocumentError: the file cannot be read, or no row of it is a question with golden answers.

    """
    if path.suffix.lower() not in QUESTION_TYPES:
        raise DocumentError(f"{path.name} is no question file: it must be {', '.join(QUESTION_TYPES)}.")
    try:
        text, _ = decode(path.read_bytes())
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror}).") from error
    except DocumentError as error:
        raise DocumentError(f"{path.name}: {error}.") from error
    questions: dict[str, Question] = {}
    skipped = []
    names: tuple[str, ...] = ()
    for number, value in _table_rows(text) if path.suffix.lower() in _TABLES else _json_rows(text):
        row = _named(value)
        names = names or tuple(row if isinstance(row, Mapping) else ())
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
            + _wrong_names(names)
        )
    return result


def _wrong_names(names: tuple[str, ...]) -> str:
    """What to do about columns of which none is known to hold the questions, or the answers."""
    if not names or (set(names) & set(_QUESTIONS) and set(names) & set(_ANSWERS)):
        return ""
    shown = ", ".join(one_line(_clean(name))[:40] for name in names[:_MOST_NAMES])
    return f" Its columns are {shown}; call the one with the questions question and the one with the answers answer."


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and value of each row; a ValueError that says why where there is no value."""
    whole = json_value(text) if text.lstrip().startswith("{") else None
    if isinstance(whole, Mapping) and _find(_named(whole), _QUESTIONS) is None:
        lists = [value for value in whole.values() if isinstance(value, list) and value]
        rows = next((value for value in lists if any(isinstance(row, Mapping) for row in value)), None)
        if rows is not None:
            yield from enumerate(_squad_rows(rows), start=1)
            return
    yield from json_rows(text)


def _squad_rows(rows: list[Any]) -> Iterator[Any]:
    """The questions of SQuAD's articles and their paragraphs; other rows as they are."""
    for row in rows:
        paragraphs = row.get("paragraphs") if isinstance(row, Mapping) else None
        if not isinstance(paragraphs, list):
            yield row
            continue
        for paragraph in paragraphs:
            asked = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
            yield from asked if isinstance(asked, list) else ()


def _table_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and cells by column of each row; answers in a cell may be several."""
    try:
        table = read_table(text)
    except csv.Error:
        yield 1, ValueError("not valid CSV")
        return
    for number, row in table.rows:
        if len(row) > len(table.header):
            yield number, ValueError("more cells than columns")
            continue
        named = _named(dict(zip(table.header, row, strict=False)))
        assert isinstance(named, dict)
        yield number, named | {name: _listed(named[name]) for name in _ANSWERS if name in named}


def _listed(cell: str) -> list[Any]:
    """The answers in a cell of a table: a list as JSON or Python writes it, or parted by `|`."""
    text = cell.strip()
    if text.startswith("[") and text.endswith("]") and len(text) <= _LONGEST_LIST:
        for parse in (json.loads, ast.literal_eval):
            try:
                value = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, list):
                return value
    return cell.split(ANSWER_SEPARATOR)


def _named(row: Any) -> Any:
    """The row with its names in lower case and `_` for spaces; what is no object stays."""
    if not isinstance(row, Mapping):
        return row
    named: dict[str, Any] = {}
    for name, value in row.items():
        named.setdefault(str(name).strip().lower().replace(" ", "_"), value)
    return named


def _find(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first text under one of the names."""
    return next((row[name] for name in names if isinstance(row.get(name), str) and row[name].strip()), None)


def _question(number: int, row: Any) -> Question | str:
    """The question that a row holds, or the reason why it holds none."""
    if not isinstance(row, Mapping):
        return str(row) if isinstance(row, ValueError) else "not an object"
    text = _find(row, _QUESTIONS)
    if text is None:
        return "no question"
    golden = next(filter(None, (_golden_answers(row[name]) for name in _ANSWERS if name in row)), ())
    if row.get("is_impossible") is True:
        return "marked as impossible to answer"
    if not golden:
        return "no golden answer"
    if len(golden) > MOST_GOLDEN_ANSWERS:
        return f"more than {MOST_GOLDEN_ANSWERS:,} golden answers"
    passages = tuple(_passages(row.get("ret_passages")))
    if row.get("ret_passages") and not passages:
        return "ret_passages hold no text"
    metadata = row.get("metadata")
    gold = metadata.get("gold_passage") if isinstance(metadata, Mapping) else None
    names = (str(row[name]) for name in _IDS if isinstance(row.get(name), str | int))
    identity = next(filter(str.strip, names), str(number))
    return Question(_clean(identity), _clean(text), golden, passages, "" if gold is None else str(gold))


def _golden_answers(given: Any) -> tuple[str, ...]:
    """The answers that a value holds, each once: a text, a number, a truth value, a list or an object of these."""
    texts: list[str] = []
    for value in given if isinstance(given, list) else [given]:
        if isinstance(value, Mapping):
            named = _named(value)
            parts = [named.get("value"), named.get("text"), named.get("answer")]
            for part in [*parts, named.get("aliases")]:
                texts += _plain_answers(part)
        else:
            texts += _plain_answers(value)
    return tuple(dict.fromkeys(filter(None, texts)))


def _plain_answers(given: Any) -> Iterator[str]:
    for value in given if isinstance(given, list) else [given]:
        if isinstance(value, bool):
            yield from ("yes", "true") if value else ("no", "false")
        elif isinstance(value, str | int | float):  # years are written without quotation marks now and then
            yield _clean(str(value))


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
