"""The command line: `spring COMMAND`, or `python -m spring COMMAND`.

A new command is a file `spring/cli/NAME.py` with `add_options` and `run`, and a line in COMMANDS.
"""

import argparse
import codecs
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol, cast

from spring import __version__
from spring.cli.options import say
from spring.cli.parser import OneLineParser
from spring.data.cleaning import one_line
from spring.errors import SpringError
from spring.settings import SHORT_SPINS

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "ask": "answer one question from your documents, without and with virtual tokens",
        "read": "show what is read of documents or of question files; needs no model",
        "index": "put a large collection on disk, for all commands and for the page",
        "search": "show the passages that fit a question; needs no model",
        "evaluate": "score the answers to a file of questions, for several numbers of virtual tokens",
        "questions": "draft questions and answers from documents, for you to check and to learn from",
        "train": "learn virtual tokens from questions and documents",
        "export": "write a model folder with the virtual tokens in it, to be served by vLLM or another server",
        "tokens": "show what a file of virtual tokens holds, or convert it",
        "push": "give virtual tokens away on the hub, with a model card",
        "backbones": "list the known language models, their sizes, and which are on this machine",
        "prepare": "download or convert a language model ahead of time",
    }
)
"""Name and help text of each command, in the order of `spring --help`. The file is `spring/cli/NAME.py`."""


class Command(Protocol):
    """What the file of a command defines."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments and options."""

    def run(self, options: argparse.Namespace) -> None:
        """Run the command; a SpringError becomes one line on stderr and exit code 2.

        options: parsed, and `opened`: what the command leaves there is closed at its end.
        """


class _CommandParser(OneLineParser):
    """The parser of one command. It imports the command's file when it is used, so that the others cost no time."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        command = cast(Command, import_module(f"spring.cli.{self.prog.split()[-1]}"))
        command.add_options(self)
        self.set_defaults(run=command.run)
        return super().parse_known_args(args, namespace)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="spring",
        description="Answer questions from documents with a frozen language model, without and with learned virtual "
        "tokens (SPRING, arXiv 2405.19670).",
        epilog="`spring COMMAND --help` lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"spring {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="spring", parser_class=_CommandParser
    )
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    return parser


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What cannot be printed as JSON writes it (`backslashreplace` would make `--json` print no JSON)."""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _escape_what_cannot_be_printed() -> None:
    """Escape what the encoding of the output lacks, and the bytes of a path that are no text."""
    codecs.register_error("escape", _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="escape")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code: 0; 2 for wrong use or bad input; 130 after Ctrl-C.

    """
    for name, value in SHORT_SPINS.items():
        os.environ.setdefault(name, value)  # before a command imports torch
    _escape_what_cannot_be_printed()
    options = _parser().parse_args(arguments)
    try:
        with ExitStack() as options.opened:
            options.run(options)
            sys.stdout.flush()
    except SpringError as error:
        say(f"spring: {error}")
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe; Python would flush once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # of a path that no command looks at more closely: the system says what is wrong
        say("spring: " + one_line(f"{error.strerror}: {error.filename!r}" if error.filename else str(error)))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0
