"""The command line: `python -m spring ask`, `evaluate`, `train`, `backbones`, `prepare`."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from spring.ask_command import add_ask
from spring.backbones_command import add_backbones
from spring.commands import add_prepare, say
from spring.errors import SpringError
from spring.evaluate_command import add_evaluate
from spring.train_command import add_train


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")  # one line, as for all bad input


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m spring", description="Answers with and without learned virtual tokens.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (add_ask, add_evaluate, add_train, add_backbones, add_prepare):
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


if __name__ == "__main__":
    sys.exit(main())
