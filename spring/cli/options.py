"""Options that several commands share, and what they say."""

import argparse
import sys
from typing import TYPE_CHECKING

from spring.errors import PromptError
from spring.rag.prompt import BASELINES

if TYPE_CHECKING:
    from spring.data.questions import QuestionColumns
    from spring.rag.prompt import Baseline


def say(line: str) -> None:
    """Print a line beside the result."""
    print(line, file=sys.stderr, flush=True)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Which backbone, in which precision."""
    parser.add_argument(
        "--backbone", metavar="NAME", help="a known name or a hub id, each with @REVISION if wanted, or a model folder"
    )
    parser.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "4bit", "bf16", "fp32", "4bit-double", "int4", "int4-int8", "int4-fp32"),
        help="auto: 4-bit NF4 on a GPU; on a CPU the fastest of fp32, int4 (bf16 to read, 4 bits to write), "
        "int4-int8 (8 bits to read) and int4-fp32 (fp32 to read); 4bit-double quantizes NF4's scales too",
    )


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Which server to ask instead of a model that is loaded here."""
    parser.add_argument(
        "--engine-url",
        metavar="URL",
        help="ask a server that has an exported model, as http://HOST:8000/v1; --backbone is then the exported folder, "
        "and SPRING_ENGINE_KEY holds the server's key",
    )
    parser.add_argument("--engine-model", metavar="NAME", help="the model's name there; default: the only one")


def add_baseline_options(parser: argparse.ArgumentParser) -> None:
    """Which answers without virtual tokens are asked for besides those for each k."""
    parser.add_argument(
        "--baseline",
        nargs="+",
        action="extend",
        default=[],
        choices=BASELINES,
        help="more answers, without tokens. plain: k = 0; instruction: in words; examples: three worked examples; "
        "chat: the tokenizer's chat template",
    )
    parser.add_argument("--instruction", action="store_true", help="short for --baseline instruction")


def add_question_options(parser: argparse.ArgumentParser) -> None:
    """Where the questions and answers of a question file are."""
    from spring.data.questions import NO_ANSWER

    parser.add_argument("--question-column", metavar="NAME", help="of question files; default: question, query, ...")
    parser.add_argument("--answer-column", metavar="NAME", help="default: golden_answers, answers, answer, target, ...")
    parser.add_argument(
        "--no-answer",
        nargs="?",
        const=NO_ANSWER,
        metavar="TEXT",
        help=f'score questions that have no answer (SQuAD 2.0) with TEXT as their answer, "{NO_ANSWER}" where TEXT is '
        "missing; default: leave them out",
    )


def question_columns(options: argparse.Namespace) -> "QuestionColumns":
    """What the options of `add_question_options` say."""
    from spring.data.questions import QuestionColumns

    return QuestionColumns(options.question_column, options.answer_column, options.no_answer)


def baselines_of(options: argparse.Namespace) -> "tuple[Baseline, ...]":
    """The baselines that the options name, each once."""
    return tuple(dict.fromkeys([*options.baseline, *(["instruction"] if options.instruction else [])]))


def add_tokens_option(parser: argparse.ArgumentParser) -> None:
    """Which virtual tokens, and how they are put in."""
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        help="virtual tokens, .safetensors or .pt; also OWNER/NAME[@REVISION] or OWNER/NAME/FILE[@REVISION] on the hub",
    )
    parser.add_argument(
        "--layout",
        choices=("training", "recipe"),
        help="how prompts are encoded around the tokens: as in training (default), or as with [ref1] in the text",
    )
    parser.add_argument(
        "--position",
        default="seam",
        choices=("seam", "front"),
        help="where the tokens stand: between passages and question (default), or before both, as PEFT's prompt tuning "
        "puts them; then every k reads the passages anew",
    )


def whole_number(option: str, text: str) -> int:
    """The number that an option gives.

    Raises:
        PromptError: it is none, or not above 0.

    """
    if not text.isdecimal() or int(text) < 1:
        raise PromptError(f"{option} must be a whole number above 0, not {text!r}.")
    return int(text)


def layout_of(options: argparse.Namespace) -> str:
    """The layout that the options of `add_tokens_option` name.

    Raises:
        PromptError: two are named.

    """
    front = options.position == "front"
    if front and options.layout:
        raise PromptError("With --position front nothing is encoded around the tokens: leave --layout out.")
    return "front" if front else options.layout or "training"
