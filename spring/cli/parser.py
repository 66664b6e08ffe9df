"""The argument parser of all commands: wrong use is told in one line, as all bad input is."""

import argparse
import os
from pathlib import Path
from typing import Any, NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An `ArgumentParser` that ends with one line on stderr and exit code 2, also at a path that can be none."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("type", Path, _path)  # of all options with `type=Path`

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _path(text: str) -> Path:
    """A path that an option gives; nothing need be there.

    Raises:
        ArgumentTypeError: it is empty, or the system takes no such name.

    """
    if not text:  # `Path` takes it for the current folder
        raise argparse.ArgumentTypeError("the name is empty")
    try:
        os.stat(text)
    except (FileNotFoundError, NotADirectoryError):  # the command says so, or makes it
        pass
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} cannot be used: {error.strerror}") from error
    return Path(text)
