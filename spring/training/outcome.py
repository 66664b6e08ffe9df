"""How learned tokens answer the dev questions: with all of them, without any, and with words in their place."""

from collections.abc import Callable, Sequence

from spring.data.answers import normalize
from spring.data.questions import Question
from spring.evaluation.runner import Row, evaluate
from spring.evaluation.summary import summarize
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone
from spring.models.figures import Figures, Score
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import Baseline
from spring.rag.retriever import Retriever
from spring.training.backbones import restore_attention

DEV_PASSAGES = 3
NEW_TOKENS = DecodingOptions().max_new_tokens


def answer_dev(
    backbone: Backbone,
    tokens: VirtualTokens,
    questions: Sequence[Question],
    retriever: Retriever | None,
    baselines: tuple[Baseline, ...] = (),
    report: Callable[[str], None] = lambda line: None,
) -> list[Row]:
    """Answer and score the dev questions, greedily, as `spring evaluate` does.

    Args:
        backbone: which the tokens were learned for; its attention is made fit for answering.
        tokens: the result of a run.
        questions: none of them learned from.
        retriever: finds the passages of those that bring none.
        baselines: further answers, without tokens.
        report: takes a line for each question that cannot be asked.

    """
    restore_attention(backbone)
    settings = ComparisonSettings((0, len(tokens)), DEV_PASSAGES, baselines)
    rows: list[Row] = []
    for done in evaluate(LocalEngine(backbone, tokens), questions, retriever, settings):
        rows += done.rows
        for line in done.failed:
            report(line)
    return rows


def learned_too(dev: Sequence[Question], questions: Sequence[Question]) -> int:
    """How many dev questions are learned from as well."""
    learned = {normalize(question.question) for question in questions}
    return sum(normalize(question.question) in learned for question in dev)


def figures_of_rows(rows: Sequence[Row], data: str, precision: str) -> Figures:
    """The mean scores of the rows, for the metadata of the token file."""
    scores = tuple(
        Score(row.virtual_tokens, row.baseline, round(row.exact_match, 4), round(row.f1, 4)) for row in summarize(rows)
    )
    how = f"{DEV_PASSAGES} passages, {NEW_TOKENS} new tokens, greedy, {precision}"
    return Figures(data, f"{how}; the step to keep was chosen by them", len({row.id for row in rows}), scores)
