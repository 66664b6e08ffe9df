"""The command line: `python -m spring COMMAND`."""

import sys

from spring.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
