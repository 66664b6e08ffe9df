"""Question files: rows of JSON (lines, a list, objects of many shapes), of tables, and of Parquet and Arrow.

A bad row is skipped, with its reason. Names of columns count without case.

FlashRAG (https://github.com/RUC-NLPIR/FlashRAG): `id`, `question`, `golden_answers`.
SPRING's training format: `question`, `target` (a string or a list), `ret_passages` (strings, or objects with
`contents` or `title` and `text`): those passages are used, nothing is retrieved.
SQuAD (a tree, or rows with `answers`: {`text`: [...]}), NQ-open (`answer`: a list), TriviaQA (`answer`: {`value`,
`aliases`}), PopQA (`possible_answers`: a list in JSON in a text), MuSiQue (`answer` and `answer_aliases`), and exports
of Hugging Face and pandas (columns, `rows`, Parquet, Arrow).
Tables: a header with `question` and `answer`; several answers are parted by `|`, or written as a list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spring.data.answers import as_list, clean, golden_answers, listed, lower_name, lower_names, normalize
from spring.data.cleaning import one_line
from spring.data.question_rows import RawRow, raw_rows
from spring.data.text_size import text_bytes
from spring.data.types import LONGEST_TITLE, Passage
from spring.errors import DocumentError

_QUESTIONS = ("question", "query", "question_text", "prompt", "input")
_ANSWERS: tuple[str, ...] = ("golden_answers", "target", "answers", "possible_answers", "answer", "golden_answer")
_ANSWERS += ("gold_answers", "ground_truth", "ground_truths", "reference", "references", "output", "response")
_ALIASES = "answer_aliases"
_IDS = ("id", "question_id", "questionid", "qid", "_id")
_FURTHER = ("ret_passages", "metadata", "is_impossible", "answerable", "annotations", _ALIASES)
_MOST_NAMES = 12  # of columns that an error names
MOST_GOLDEN_ANSWERS = 1_000  # of one question: every answer is compared with each
_SHOWN = 5  # reasons that one sentence names
NEEDED = "needed are"  # behind it stand the columns that a file lacks
_UNANSWERABLE = "marked as impossible to answer"
NO_ANSWER = "no answer"  # what is right for such a question, where it is asked


@dataclass(frozen=True, slots=True)
class QuestionColumns:
    """Where the questions and the answers of a file are, and what is right for a question that has none.

    question, answer: names of columns; None: the usual ones. no_answer: the golden answer of questions that are marked
    as impossible to answer; None: these are left out.
    """

    question: str | None = None
    answer: str | None = None
    no_answer: str | None = None

    @property
    def questions(self) -> tuple[str, ...]:
        """Names under which a row may have its question."""
        return _QUESTIONS if self.question is None else (lower_name(self.question),)

    @property
    def answers(self) -> tuple[str, ...]:
        """Names under which a row may have its golden answers."""
        return _ANSWERS if self.answer is None else (lower_name(self.answer),)


USUAL_COLUMNS = QuestionColumns()


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its golden answers."""

    id: str
    question: str
    golden_answers: tuple[str, ...]
    passages: tuple[Passage, ...] = ()  # given with the question, best first: then nothing is retrieved
    gold_passage: str = ""  # the corpus row that holds the answer, where the file names it
    drafted: bool = field(default=False, repr=False)  # by a model (`spring questions`), and not asked by people


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The good rows of a question file, and why the others were skipped."""

    questions: tuple[Question, ...]
    skipped: tuple[str, ...] = ()  # "row 7: no question"
    ignored: tuple[str, ...] = ()  # golden answers that no score counts: "row 7: The"
    unanswerable: int = 0  # questions without an answer that are left out

    @property
    def drafted(self) -> int:
        """Questions that a model has drafted."""
        return sum(question.drafted for question in self.questions)

    @property
    def nbytes(self) -> int:
        """About the memory that the rows take."""
        texts = (text for q in self.questions for text in (q.id, q.question, *q.golden_answers))
        passages = (passage.titled for question in self.questions for passage in question.passages)
        return text_bytes(texts) + text_bytes(passages)

    @property
    def note(self) -> str:
        """A sentence each on the rows, golden answers and questions that were left out; empty if none was."""
        notes = []
        if self.skipped:
            notes.append(f"{len(self.skipped)} row{'s' * (len(self.skipped) > 1)} skipped: {_first(self.skipped)}.")
        if (number := len(self.ignored)) > 0:
            what = "golden answer is" if number == 1 else "golden answers are"
            notes.append(f"{number} {what} nothing but articles and punctuation, and left out: {_first(self.ignored)}.")
        if self.unanswerable:
            what = "question that has no answer is" if self.unanswerable == 1 else "questions that have no answer are"
            notes.append(f"{self.unanswerable} {what} left out.")
        if number := self.drafted:
            notes.append(
                f"{number} question{' is' if number == 1 else 's are'} drafted by a model, not asked by people."
            )
        return " ".join(notes)


def _first(reasons: tuple[str, ...]) -> str:
    more = len(reasons) - _SHOWN
    return "; ".join(reasons[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def read_questions(path: str | Path, columns: QuestionColumns = USUAL_COLUMNS) -> QuestionSet:
    """Read the questions of a file, in order.

    A missing `id` becomes the row's number; a repeated one gets the number added, so that ids are unique.

    Raises:
        DocumentError: the file cannot be read, or no row of it is a question with golden answers.

    """
    path = Path(path)
    questions: dict[str, Question] = {}
    skipped, ignored = [], list[str]()
    unanswerable = 0
    told = set[tuple[str, ...]]()  # columns that a reason has named
    for raw in raw_rows(path, columns.questions, {*columns.answers, *_IDS, *_FURTHER}):
        question = _question(raw, columns)
        if question == _UNANSWERABLE:
            unanswerable += 1
        elif isinstance(question, str):
            names = tuple(raw.value) if isinstance(raw.value, Mapping) else ()
            more = "" if names in told else _wrong_names(names, columns)
            skipped.append(f"row {raw.number}: {question}{more}")
            told.add(names)
        elif not (counting := tuple(filter(normalize, question.golden_answers))):
            skipped.append(f"row {raw.number}: its golden answers are nothing but articles and punctuation")
        else:
            empty = [answer for answer in question.golden_answers if not normalize(answer)]
            ignored += [f"row {raw.number}: {one_line(answer)[:40]}" for answer in empty]
            id = question.id if question.id not in questions else f"{question.id} (row {raw.number})"
            questions[id] = replace(question, id=id, golden_answers=counting)
    result = QuestionSet(tuple(questions.values()), tuple(skipped), tuple(ignored), unanswerable)
    if not questions:
        needed = 'JSON Lines need "question" and "golden_answers", CSV a header with question,answer.'
        raise DocumentError(f"{path.name} has no row with a question and golden answers. {result.note or needed}")
    return result


def _wrong_names(names: tuple[str, ...], columns: QuestionColumns) -> str:
    """The columns that are there and those needed, if none is known to hold the questions, or the answers."""
    if not names or (set(names) & set(columns.questions) and set(names) & {*columns.answers, "annotations"}):
        return ""
    shown = ", ".join(one_line(clean(name))[:40] for name in names[:_MOST_NAMES])
    shown += f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    needed = f"{columns.question or 'question'} and {columns.answer or 'answer'}"
    return f" (its columns are {shown}; {NEEDED} {needed})"


def _find(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first text under one of the names; of an object its `text`."""
    values = (row.get(name) for name in names)
    texts = (value.get("text") if isinstance(value, Mapping) else value for value in values)
    return next((text for text in texts if isinstance(text, str) and text.strip()), None)


def _question(raw: RawRow, columns: QuestionColumns) -> Question | str:
    """The question that a row holds, or the reason why it holds none."""
    row = raw.value
    if not isinstance(row, Mapping):
        return str(row) if isinstance(row, ValueError) else "not an object"
    text = _find(row, columns.questions)
    if text is None:
        return "no question"
    golden = next(filter(None, (_golden(raw, name) for name in columns.answers if name in row)), ())
    golden = golden or golden_answers(_short_answers(row))
    if _has_no_answer(row, golden):
        if columns.no_answer is None:
            return _UNANSWERABLE
        golden = (columns.no_answer,)
    elif golden:
        golden = tuple(dict.fromkeys([*golden, *golden_answers(row.get(_ALIASES))]))
    if not golden:
        return "no golden answer"
    if len(golden) > MOST_GOLDEN_ANSWERS:
        return f"more than {MOST_GOLDEN_ANSWERS:,} golden answers"
    passages = tuple(_passages(row.get("ret_passages")))
    if row.get("ret_passages") and not passages:
        return "ret_passages hold no text"
    metadata = row.get("metadata")
    named = metadata if isinstance(metadata, Mapping) else {}
    gold = named.get("gold_passage")
    names = (str(row[name]) for name in _IDS if isinstance(row.get(name), str | int))
    identity = next(filter(str.strip, names), str(raw.number))
    drafted = bool(named.get("drafted"))
    return Question(clean(identity), clean(text), golden, passages, "" if gold is None else str(gold), drafted)


def _golden(raw: RawRow, name: str) -> tuple[str, ...]:
    """The golden answers in a column; a list in a text counts in tables, and in PopQA's column everywhere."""
    value = raw.value[name]
    if isinstance(value, str):
        value = listed(value) if raw.cells else (as_list(value) if name == "possible_answers" else None) or value
    return golden_answers(value)


def _short_answers(row: Mapping[str, Any]) -> Any:
    """Those of Natural Questions as Hugging Face has them."""
    annotations = lower_names(row.get("annotations"))
    return annotations.get("short_answers") if isinstance(annotations, Mapping) else None


def _has_no_answer(row: Mapping[str, Any], golden: tuple[str, ...]) -> bool:
    """Whether a row says so: SQuAD 2.0's `is_impossible` or its empty list of texts, MuSiQue's `answerable`."""
    answers = row.get("answers")
    empty = isinstance(answers, Mapping) and answers.get("text") == [] and not golden
    return row.get("is_impossible") is True or row.get("answerable") is False or empty


def _passages(given: Any) -> Iterator[Passage]:
    for place, value in enumerate(given if isinstance(given, list) else ()):
        title = ""
        if isinstance(value, Mapping):
            contents = value.get("contents")
            parts = [contents] if isinstance(contents, str) else [value.get("title"), value.get("text")]
            value = clean("\n".join(part for part in parts if isinstance(part, str)))
            first, _, rest = value.partition("\n")
            if rest.strip() and len(first) <= LONGEST_TITLE:
                title, value = first, rest
        if isinstance(value, str) and (text := value if title else clean(value)):
            yield Passage("given with the question", 1, place, text, title=title)
