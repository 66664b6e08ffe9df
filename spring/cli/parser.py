"""The argument parser of all commands: wrong use is told in one line, as all bad input is."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """An `ArgumentParser` that ends with one line on stderr and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, and where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")
