"""`spring tokens`: what a file of virtual tokens holds, and other forms of it."""

import argparse
import json
import shutil
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spring.cli.options import say
from spring.cli.parser import OneLineParser
from spring.errors import TokenFileError

if TYPE_CHECKING:
    from spring.models.figures import Figures
    from spring.models.virtual_tokens import VirtualTokens

SOURCES = "a known backbone, a token file, a folder of PEFT's prompt tuning, or OWNER/NAME[/FILE][@REVISION] on the hub"
LONGEST = 500  # characters of a value that is shown; --json has all
NOT_PEFT = (
    "Tokens are not written for PEFT: its prompt tuning would put them before the passages, where they answer wrongly."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the two actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=OneLineParser)
    show = actions.add_parser("show", help="whose tokens, how many, how they were learned, and their norms")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    convert = actions.add_parser("convert", help="published .pt, .safetensors, and PEFT's prompt tuning")
    for action in (show, convert):
        action.add_argument("source", metavar="SOURCE", help=SOURCES)
        action.add_argument("--backbone", metavar="NAME", help="whose tokens they are, if the file does not say it")
    convert.add_argument("output", type=Path, metavar="OUTPUT", help=".safetensors, or .pt for the values alone")


def run(options: argparse.Namespace) -> None:
    """Show or convert."""
    if options.action == "convert":
        _refuse_output(options.source, options.output)
    from spring.models.finder import named_tokens
    from spring.models.peft_folder import FRONT_WARNING

    tokens = named_tokens(options.source, say, options.backbone)
    if options.action == "convert":
        _write(tokens, options.output)
    facts = _facts(tokens)
    if options.action == "show" and options.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        print(_as_text(facts) if options.action == "show" else f"{options.output}: {_summary(tokens)}.")
    if tokens.at_front:
        say(FRONT_WARNING)


def _refuse_output(source: str, output: Path) -> None:
    if output.suffix not in (".safetensors", ".pt"):
        raise TokenFileError(f"OUTPUT must end with .safetensors or .pt, not {output.name!r}. {NOT_PEFT}")
    if output.exists() and output.resolve() == Path(source).resolve():
        raise TokenFileError(f"{output} is the source: choose another OUTPUT.")


def _write(tokens: "VirtualTokens", output: Path) -> None:
    """Write the tokens in the form that the file's name says.

    Raises:
        TokenFileError: the file cannot be written.

    """
    import torch
    from safetensors import SafetensorError

    from spring.models.catalog import PUBLISHED_FILES

    try:
        if output.suffix == ".safetensors":
            tokens.save(output)
            return
        torch.save(tokens.embeddings, output)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise TokenFileError(f"{output} cannot be written ({str(error).splitlines()[0]}).") from error
    if PUBLISHED_FILES.get(output.name) != tokens.backbone:
        say(f"A .pt does not say whose tokens it holds: use it with --backbone {tokens.backbone}.")


def _summary(tokens: "VirtualTokens") -> str:
    from spring.models.virtual_tokens import describe

    return _shown(describe(tokens))


def _facts(tokens: "VirtualTokens") -> dict[str, Any]:
    """What is known of tokens; texts come from the file, so nothing in them may steer a terminal."""
    from spring.models.figures import DETAIL, figures_of

    apart = ("position", DETAIL)
    norms = [round(float(norm), 4) for norm in tokens.embeddings.norm(dim=1)]
    return {
        "backbone": _shown(tokens.backbone),
        "tokens": len(tokens),
        "hidden": tokens.hidden,
        "learned": _shown(tokens.learned),
        "position": "front" if tokens.at_front else "seam",
        "norms": norms,
        "figures": [_as_dict(figures) for figures in figures_of(tokens.details)],
        "details": {_shown(name): _shown(text) for name, text in sorted(tokens.details.items()) if name not in apart},
    }


def _as_dict(figures: "Figures") -> dict[str, Any]:
    """The scores on one set of questions."""
    scores = [
        {"asked": _shown(score.name), "exact_match": score.exact_match, "f1": score.f1} for score in figures.scores
    ]
    about = {"data": _shown(figures.data), "settings": _shown(figures.settings), "questions": figures.questions}
    return {**about, "scores": scores}


def _line(figures: dict[str, Any]) -> str:
    scores = (f"{s['asked']} {s['exact_match']:.3f} / {s['f1']:.3f}" for s in figures["scores"])
    return f"{figures['data']}; {figures['settings']}; exact match / F1: {', '.join(scores)}"


def _shown(text: str) -> str:
    from spring.data.cleaning import clean_text, one_line

    return one_line(clean_text(text))


def _as_text(facts: dict[str, Any]) -> str:
    """A name and a value on each line, long values below each other."""
    norms = facts["norms"]
    place = "before the passages" if facts["position"] == "front" else "between the passages and the question"
    lines = {
        "backbone": facts["backbone"],
        "tokens": f"{facts['tokens']} of {facts['hidden']:,} numbers, {place}",
        "learned": facts["learned"] or "not at all: initial values",
        "norms": f"{min(norms):.3g} to {max(norms):.3g}, mean {sum(norms) / len(norms):.3g}",
        **{f"figures {number}": _line(given) for number, given in enumerate(facts["figures"], 1)},
        **facts["details"],
    }
    width = max(shutil.get_terminal_size((100, 24)).columns, 40)
    names = min(max(map(len, lines)), 20) + 2
    indents = [(name[:20].ljust(names), textwrap.shorten(text, LONGEST)) for name, text in lines.items()]
    return "\n".join(
        textwrap.fill(text, width, initial_indent=name, subsequent_indent=" " * names) for name, text in indents
    )
