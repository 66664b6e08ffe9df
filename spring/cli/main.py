"""The command line: `python -m spring ask`, `evaluate`, `train`, `read`, `backbones`, `prepare`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from spring.cli.ask import add_ask
from spring.cli.backbones import add_backbones
from spring.cli.evaluate import add_evaluate
from spring.cli.options import say
from spring.cli.prepare import add_prepare
from spring.cli.read import add_read
from spring.cli.train import add_train
from spring.errors import SpringError


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")  # one line, as for all bad input


def _parser() -> argparse.ArgumentParser:
    parser = _ArgumentParser(prog="python -m spring", description="Answers with and without learned virtual tokens.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (add_ask, add_evaluate, add_train, add_read, add_backbones, add_prepare):
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0, or 2 for wrong use and bad input."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except SpringError as error:
        say(f"spring: {error}")
        return 2
    except BrokenPipeError:  # who reads, such as `head`, has seen enough; Python would flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    return 0
