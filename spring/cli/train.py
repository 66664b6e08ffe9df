"""`python -m spring train`: learn virtual tokens for a backbone from questions and documents."""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spring.cli.options import add_model_options, read_corpus, say, whole_number
from spring.errors import PromptError

if TYPE_CHECKING:
    from spring.models.backbone import Backbone
    from spring.models.virtual_tokens import VirtualTokens
    from spring.training.settings import TrainingSettings
    from spring.training.trainer import Learned

DEV_KS = (1, 5)  # and n: at these k the dev questions are looked at
_SETTINGS = {  # options that are fields of TrainingSettings
    "epochs": float,
    "batch_size": int,
    "gradient_accumulation": int,
    "learning_rate": float,
    "warmup": float,
    "average": float,
    "evaluate_every": int,
    "save_every": int,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    add = parser.add_argument
    add("questions", type=Path, metavar="QUESTIONS", help="JSON Lines (FlashRAG's, SPRING's) or CSV")
    add("--corpus", nargs="+", type=Path, metavar="PATH", help="files or folders to search")
    add("--output", type=Path, required=True, metavar="FILE", help=".safetensors; the run's folder is beside it")
    add("--number", type=int, default=50, metavar="N", help="virtual tokens; default: 50")
    add("--passages", default="1-5", metavar="M", help="passages of a sample, drawn from this range; default: 1-5")
    add(
        "--init",
        metavar="TEXT",
        help="instruction (the paper's), examples, random, a text, or a file of tokens; default: examples for small "
        "backbones, else instruction",
    )
    add("--fixed-k", action="store_true", help="always all tokens, instead of the first k, k at random")
    add(
        "--shared-k",
        type=int,
        metavar="K",
        help="k that share a sample's passages; default: 3 for small backbones, else 1 (the paper's)",
    )
    add(
        "--draws",
        type=int,
        default=0,
        metavar="N",
        help="draw a question's passages N times in all, and keep on disk what the backbone read of them: later "
        "epochs take half the time; needs disk: 23 KB a token of passages for the default backbone in bf16, 131 KB for "
        "Mistral-7B; default: 0, drawn in every epoch",
    )
    add("--also-4bit", action="store_true", help="every other sample through the weights as 4 bits round them")
    add("--seed", type=int, default=0, metavar="N", help="default: 0")
    add("--limit", metavar="N", help="the first N questions alone")
    add("--dev", type=Path, metavar="FILE", help="questions to measure with: the tokens that do best are kept")
    add("--dev-limit", default="50", metavar="N", help="dev questions looked at; default: 50")
    add("--resume", action="store_true", help="go on from the run's newest checkpoint")
    for name, kind in _SETTINGS.items():
        add(f"--{name.replace('_', '-')}", type=kind, metavar="N", help="default: what suits the backbone's size")
    add_model_options(parser)


def run(options: argparse.Namespace) -> None:
    """Learn, and write the tokens."""
    if options.output.suffix != ".safetensors":
        raise PromptError(f"--output must end with .safetensors, not {options.output.name!r}.")
    low, high = _range(options.passages)
    limit = None if options.limit is None else whole_number("--limit", options.limit)
    dev_limit = whole_number("--dev-limit", options.dev_limit)
    from spring.data.questions import read_questions
    from spring.rag.bm25 import Bm25Retriever
    from spring.training.examples import Draw, Examples, gold_passages

    shared = 1 if options.fixed_k or options.shared_k is None else options.shared_k
    draw = Draw(options.number, (low, high), options.fixed_k, shared, options.seed, options.draws)
    read = read_questions(options.questions)
    dev_read = read_questions(options.dev) if options.dev else None
    for note in filter(None, (read.note, dev_read.note if dev_read else "")):
        say(note)
    collection = read_corpus(options.corpus) if options.corpus else None
    retriever = Bm25Retriever(collection.passages) if collection else None
    gold = gold_passages(collection) if collection else {}

    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    from spring.models.loader import load_backbone
    from spring.settings import DEFAULT_BACKBONE
    from spring.training.quantization import rounded_to_4bit
    from spring.training.trainer import learn

    backbone = load_backbone(options.backbone or DEFAULT_BACKBONE, options.precision, say)
    settings = _settings(options, backbone)
    if options.shared_k is None and not options.fixed_k and not _as_in_paper(backbone):
        draw = replace(draw, shared_k=3)
    examples = Examples(backbone, read.questions[:limit], retriever, gold, draw)
    ks = sorted({k for k in DEV_KS if k < draw.number} | {draw.number})
    dev = [examples.of(question, 3, ks) for question in dev_read.questions[:dev_limit]] if dev_read else []
    initial = _initial(backbone, options)
    folder = options.output.with_suffix(".run")
    go_on = f"the same command with --resume goes on from the newest checkpoint in {folder}"
    try:
        backbones = [backbone, rounded_to_4bit(backbone)] if options.also_4bit else [backbone]
        learned = learn(backbones, examples, initial, settings, folder, dev, options.resume, say)
        if int(os.environ.get("RANK", "0")) == 0:
            _save(options, backbone, learned, len(examples.questions), settings)
    except KeyboardInterrupt:
        say(f"Interrupted: {go_on}.")
        raise
    except (OSError, SafetensorError) as error:
        raise PromptError(f"A file could not be written or read ({error}): see to that, then {go_on}.") from error
    except OutOfMemoryError as error:
        raise PromptError(
            f"The memory of {backbone.model.device} does not suffice for a batch of {settings.batch_size}: choose a "
            "smaller --batch-size, with more --gradient-accumulation."
        ) from error


def _save(
    options: argparse.Namespace, backbone: "Backbone", learned: "Learned", questions: int, settings: "TrainingSettings"
) -> None:
    from spring.models.virtual_tokens import VirtualTokens

    steps = f"{learned.step} of {learned.steps} steps of {settings.samples_per_step}"
    details = {
        "data": options.questions.name,
        "questions": str(questions),
        "steps": steps,
        "seed": str(options.seed),
        "precision": backbone.precision + (" and 4bit" if options.also_4bit else ""),
        "settings": str(settings),
        "command": shlex.join(["python", "-m", "spring", *map(str, sys.argv[1:])]),
    }
    if learned.dev_exact_match is not None:
        details["dev"] = (
            f"{options.dev.name}, first {options.dev_limit}: exactly a golden answer "
            f"{learned.dev_exact_match:.3f}, loss {learned.dev_loss:.3f}"
        )
    about = f"learned from {options.questions.name} ({questions:,} questions, {steps})"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    VirtualTokens(learned.tokens, backbone.name, about, details).save(options.output)
    print(f"{options.output}: {len(learned.tokens)} virtual tokens for {backbone.name}, {about}.")


def _settings(options: argparse.Namespace, backbone: "Backbone") -> "TrainingSettings":
    from spring.training.settings import default_settings

    given = {name: value for name in _SETTINGS if (value := getattr(options, name)) is not None}
    return replace(default_settings(backbone.hidden), **given)


def _as_in_paper(backbone: "Backbone") -> bool:
    from spring.training.settings import PAPER_WIDTH

    return backbone.hidden >= PAPER_WIDTH


def _initial(backbone: "Backbone", options: argparse.Namespace) -> "VirtualTokens":
    import torch

    from spring.models.virtual_tokens import VirtualTokens
    from spring.rag.prompt import INSTRUCTION, worked_examples

    init = options.init or ("instruction" if _as_in_paper(backbone) else "examples")
    if init.endswith((".safetensors", ".pt")):
        given = VirtualTokens.load(init, backbone.name)
        if options.number > len(given):
            raise PromptError(f"{init} holds {len(given)} virtual tokens: give --number {len(given)}, or fewer.")
        return VirtualTokens(given.first(options.number), given.backbone)
    texts = {"instruction": INSTRUCTION, "examples": worked_examples(backbone.tokenizer.eos_token or "")}
    if init != "random":
        return backbone.initial_virtual_tokens(options.number, texts.get(init, init))
    # Of the spread that the embeddings of words have; rounded, as its last digits depend on the number of threads.
    spread = round(float(backbone.embed(torch.arange(min(1000, len(backbone.tokenizer)))).float().std()), 4)
    values = torch.randn(options.number, backbone.hidden, generator=torch.Generator().manual_seed(options.seed))
    return VirtualTokens(values * spread, backbone.name)


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not low.isdecimal() or not (high or low).isdecimal():
        raise PromptError(f"--passages must be a number or a range such as 1-5, not {text!r}.")
    return int(low), int(high or low)
