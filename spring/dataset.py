"""Question files: FlashRAG's JSON Lines (`id`, `question`, `golden_answers`)."""

import json
from dataclasses import dataclass
from pathlib import Path

from spring.errors import DocumentError


@dataclass(frozen=True, slots=True)
class Question:
    """A question and its golden answers."""

    id: str
    question: str
    golden_answers: tuple[str, ...]


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a JSON Lines file, in order.

    Raises:
        DocumentError: a row is no question.

    """
    questions = []
    # Not splitlines: JSON may hold U+2028 as it is.
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").rstrip().split("\n"), start=1):
        try:
            row = json.loads(line)
            question = Question(str(row["id"]), str(row["question"]), tuple(map(str, row["golden_answers"])))
        except (ValueError, KeyError, TypeError) as error:
            raise DocumentError(f"{path.name}: row {number} is no question with golden answers.") from error
        questions.append(question)
    return questions
