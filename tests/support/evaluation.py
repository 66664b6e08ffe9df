"""Questions, settings and rows of evaluations on tiny random models."""

from collections.abc import Sequence

from spring.data.questions import Question
from spring.evaluation.runner import Row, evaluate
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions
from spring.rag.bm25 import Bm25Retriever
from tests.conftest import PASSAGES, QUESTION

RETRIEVER = Bm25Retriever(PASSAGES)
SETTINGS = ComparisonSettings(virtual_tokens=(0, 1, 50), passages=2, decoding=DecodingOptions(6))
QUESTIONS = [
    Question("a", QUESTION, ("nine",)),
    Question("b", "How high is the radio mast?", ("ninety metres", "90 metres")),
    Question("c", "What does every child get at the kite festival of Port Ninnow?", ("a bun",)),
    Question("d", "What is lit at dusk?", ("its lamp",), (PASSAGES[2], PASSAGES[1])),
    Question("e", "And xyzzy?", ("nothing",)),  # no passage shares a word with it
]


def rows_of(engine: LocalEngine, questions: Sequence[Question] = QUESTIONS, **options: object) -> list[Row]:
    """All rows of an evaluation."""
    return [row for done in evaluate(engine, questions, RETRIEVER, SETTINGS, **options) for row in done.rows]


def row(k: int = 0, match: float = 0.0, id: str = "a", **changes: object) -> Row:
    return Row(id, "q", k, "text", ("gold",), match, match, match, match, "" if k else "plain", 1.0)._replace(**changes)
