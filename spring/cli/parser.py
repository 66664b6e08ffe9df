"""The argument parser of all commands: wrong use is told in one line, as all bad input is."""

import argparse
from pathlib import Path
from typing import Any, NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An `ArgumentParser` that ends with one line on stderr and exit code 2, also at an empty path."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("type", Path, _path)  # of all options with `type=Path`

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _path(text: str) -> Path:
    """A path that an option gives; nothing need be there, and what the system says of it is its command's to tell.

    Raises:
        ArgumentTypeError: it is empty.

    """
    if not text:  # `Path` takes it for the current folder
        raise argparse.ArgumentTypeError("the name is empty")
    return Path(text)
