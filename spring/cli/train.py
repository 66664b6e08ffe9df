"""`spring train`: learn virtual tokens for a backbone from questions and documents."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spring.cli.opening import open_corpus
from spring.cli.options import (
    add_baseline_options,
    add_model_options,
    add_question_options,
    baselines_of,
    question_columns,
    say,
    whole_number,
)
from spring.cli.train_result import save_tokens, show_dev
from spring.errors import PromptError

if TYPE_CHECKING:
    from spring.models.backbone import Backbone
    from spring.training.settings import TrainingSettings

DEV_KS = (1, 5)  # the dev questions are scored at these k, and at all tokens
_SETTINGS = {  # options that are fields of TrainingSettings: type and help
    "epochs": (float, "passes over the questions"),
    "batch_size": (int, "samples in one forward pass, over all processes"),
    "gradient_accumulation": (int, "forward passes in one optimizer step"),
    "learning_rate": (float, "highest learning rate"),
    "warmup": (float, "share of the steps in which the learning rate rises"),
    "average": (float, "decay of the moving average of the tokens, which is the result; 0: the last values"),
    "evaluate_every": (int, "steps between evaluations on the dev questions"),
    "save_every": (int, "steps between checkpoints"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    add = parser.add_argument
    add("questions", type=Path, metavar="QUESTIONS", help="a question file")
    add("--corpus", nargs="+", type=Path, metavar="PATH", help="files or folders to search for passages, or an index")
    add("--output", type=Path, required=True, metavar="FILE", help=".safetensors; the run's folder is made beside it")
    add("--number", type=int, default=50, metavar="N", help="virtual tokens to learn; default: 50")
    add("--passages", default="1-5", metavar="M", help="passages of a sample, drawn from this range; default: 1-5")
    add(
        "--init",
        metavar="INIT",
        help="initial values: instruction (the paper's), examples, random, a token file, or a text of at least two "
        "words; default: examples for small backbones, else instruction",
    )
    add("--fixed-k", action="store_true", help="always train with all tokens, instead of the first k, k at random")
    add(
        "--shared-k",
        type=int,
        metavar="K",
        help="how many k share a sample's passages; default: 3 for small backbones, else 1 (the paper's)",
    )
    add(
        "--draws",
        type=int,
        default=0,
        metavar="N",
        help="draw a question's passages N times in all, and keep their keys and values on disk: later epochs take "
        "half the time; needs 23 KB a passage token for the default backbone in bf16, 131 KB for Mistral-7B; "
        "default: 0, drawn in every epoch",
    )
    add("--also-4bit", action="store_true", help="use the weights rounded to 4 bits for every other sample")
    add("--seed", type=int, default=0, metavar="N", help="seed of all that is random; default: 0")
    add("--limit", metavar="N", help="use the first N questions only")
    add("--dev", type=Path, metavar="FILE", help="questions to evaluate on: the tokens that do best are kept")
    add("--dev-limit", default="50", metavar="N", help="use the first N dev questions only; default: 50")
    add("--resume", action="store_true", help="continue from the run's newest checkpoint")
    for name, (kind, meaning) in _SETTINGS.items():
        add(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=f"{meaning}; default: by the backbone's size")
    add_baseline_options(parser)
    add_question_options(parser)
    add_model_options(parser)


def run(options: argparse.Namespace) -> None:
    """Learn the tokens and write them."""
    if options.output.suffix != ".safetensors":
        raise PromptError(f"--output must end with .safetensors, not {options.output.name!r}.")
    low, high = _range(options.passages)
    limit = None if options.limit is None else whole_number("--limit", options.limit)
    dev_limit = whole_number("--dev-limit", options.dev_limit)
    if baselines_of(options) and not options.dev:
        raise PromptError("--baseline is for the table at the end, which is made of dev questions: give --dev.")
    from spring.data.questions import read_questions
    from spring.rag.index import IndexRetriever
    from spring.training.examples import Examples, SampleSettings, gold_passages
    from spring.training.initializers import check_init, initial_tokens

    if options.init:
        check_init(options.init)
    shared_k = 1 if options.fixed_k or options.shared_k is None else options.shared_k
    sampling = SampleSettings(options.number, (low, high), options.fixed_k, shared_k, options.seed, options.draws)
    columns = question_columns(options)
    read = read_questions(options.questions, columns)
    dev_read = read_questions(options.dev, columns) if options.dev else None
    if dev_read and dev_read.drafted:
        raise PromptError(
            f"{options.dev.name} holds {dev_read.drafted} drafted questions, and dev is for questions of people: learn "
            "from the drafted ones, in QUESTIONS, and write some of your own for dev."
        )
    for note in filter(None, (read.note, dev_read.note if dev_read else "")):
        say(note)
    retriever, collection = open_corpus(options.corpus) if options.corpus else (None, None)
    gold = retriever.rows if isinstance(retriever, IndexRetriever) else gold_passages(collection) if collection else {}

    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    from spring.evaluation.drawing import PIP_INSTALL
    from spring.models.loader import load_backbone
    from spring.settings import DEFAULT_BACKBONE
    from spring.training.backbones import training_precision
    from spring.training.curve import CURVE, can_draw, write_curve
    from spring.training.outcome import DEV_PASSAGES, learned_too
    from spring.training.quantization import rounded_to_4bit
    from spring.training.settings import default_shared_k
    from spring.training.trainer import learn

    backbone = load_backbone(
        options.backbone or DEFAULT_BACKBONE, training_precision(options.precision), say, learning=True
    )
    settings = _settings(options, backbone)
    if options.shared_k is None and not options.fixed_k:
        sampling = replace(sampling, shared_k=default_shared_k(backbone.hidden))
    examples = Examples(backbone, read.questions[:limit], retriever, gold, sampling)
    ks = sorted({k for k in DEV_KS if k < sampling.number} | {sampling.number})
    dev_questions = dev_read.questions[:dev_limit] if dev_read else ()
    if same := learned_too(dev_questions, examples.questions):
        say(f"{same} of {len(dev_questions)} dev questions are learned from as well: scores on them say little.")
    dev = [examples.dev_example(question, DEV_PASSAGES, ks) for question in dev_questions]
    initial = initial_tokens(backbone, options.init, options.number, options.seed)
    folder = options.output.with_suffix(".run")
    how_to_continue = f"the same command with --resume continues from the newest checkpoint in {folder}"
    try:
        backbones = [backbone, rounded_to_4bit(backbone)] if options.also_4bit else [backbone]
        watch = {"watch": write_curve} if can_draw() else {}
        say(f"The curve is in {folder / CURVE}." if watch else f"No {CURVE} is drawn: run {PIP_INSTALL}.")
        result = learn(backbones, examples, initial, settings, folder, dev, options.resume, say, **watch)
        if int(os.environ.get("RANK", "0")) == 0:
            tokens = save_tokens(options, backbone, result, examples.questions, settings)
            if dev_questions:
                show_dev(options, backbone, tokens, dev_questions, retriever, same)
    except KeyboardInterrupt:
        say(f"Interrupted: {how_to_continue}.")
        raise
    except (OSError, SafetensorError) as error:
        raise PromptError(f"A file could not be written or read ({error}). Once it can, {how_to_continue}.") from error
    except OutOfMemoryError as error:
        raise PromptError(
            f"The memory of {backbone.model.device} does not suffice for a batch of {settings.batch_size}: choose a "
            "smaller --batch-size, with more --gradient-accumulation."
        ) from error


def _settings(options: argparse.Namespace, backbone: "Backbone") -> "TrainingSettings":
    from spring.training.settings import default_settings

    given = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    return replace(default_settings(backbone.hidden), **given)


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not low.isdecimal() or not (high or low).isdecimal():
        raise PromptError(f"--passages must be a number or a range such as 1-5, not {text!r}.")
    return int(low), int(high or low)
