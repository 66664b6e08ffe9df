"""The command line: `spring COMMAND`, or `python -m spring COMMAND`."""

import gc
import sys

from spring.cli.main import main


def run() -> int:
    """Run the command of this process; returns its exit code."""
    gc.set_threshold(50_000)  # not 700: what is imported stays; looking for garbage in it takes a sixth of the start
    return main()


if __name__ == "__main__":
    sys.exit(run())
