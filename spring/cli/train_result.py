"""What `spring train` leaves: the token file, and how its tokens answer the dev questions."""

import argparse
import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from spring.cli.options import baselines_of, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spring.data.questions import Question
    from spring.models.backbone import Backbone
    from spring.models.virtual_tokens import VirtualTokens
    from spring.rag.retriever import Retriever
    from spring.training.settings import TrainingSettings
    from spring.training.trainer import TrainingResult


def save_tokens(
    options: argparse.Namespace,
    backbone: "Backbone",
    result: "TrainingResult",
    asked: "Sequence[Question]",
    settings: "TrainingSettings",
) -> "VirtualTokens":
    """Write the token file, with metadata that says how the tokens were learned."""
    from spring.models.virtual_tokens import VirtualTokens

    questions, drafted = len(asked), sum(question.drafted for question in asked)
    steps = f"{result.step} of {result.steps} steps of {settings.samples_per_step}"
    details = {
        "data": options.questions.name,
        "questions": str(questions),
        "steps": steps,
        "seed": str(options.seed),
        "precision": backbone.precision + (" and 4bit" if options.also_4bit else ""),
        "settings": str(settings),
        "command": shlex.join(["python", "-m", "spring", *map(str, sys.argv[1:])]),
    }
    if drafted:
        details["drafted"] = f"{drafted} of the questions, by a model"
    if result.dev_exact_match is not None:
        details["dev"] = (
            f"{options.dev.name}, first {options.dev_limit}: exact match {result.dev_exact_match:.3f}, "
            f"loss {result.dev_loss:.3f}"
        )
    learned = f"learned from {options.questions.name} ({questions:,} questions, {steps})"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    tokens = VirtualTokens(result.tokens, backbone.name, learned, details)
    tokens.save(options.output)
    print(f"{options.output}: {len(result.tokens)} virtual tokens for {backbone.name}, {learned}.", flush=True)
    return tokens


def show_dev(
    options: argparse.Namespace,
    backbone: "Backbone",
    tokens: "VirtualTokens",
    questions: "Sequence[Question]",
    retriever: "Retriever | None",
    same: int,
) -> None:
    """Print how the dev questions are answered with and without the tokens, and keep it in the token file."""
    from spring.evaluation.results import as_frame
    from spring.evaluation.summary import summarize
    from spring.models.figures import DETAIL, as_detail
    from spring.training.outcome import answer_dev, figures_of_rows

    say(f"Answering {len(questions)} dev questions with and without the tokens ...")
    rows = answer_dev(backbone, tokens, questions, retriever, baselines_of(options), say)
    if rows:
        data = f"{options.dev.name}, {same or 'none'} of them learned from"
        figures = figures_of_rows(rows, data, backbone.precision)
        replace(tokens, details={**tokens.details, DETAIL: as_detail([figures])}).save(options.output)
        print(as_frame(summarize(rows)).to_string(index=False))
