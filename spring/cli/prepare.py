"""`python -m spring prepare`: fetch or convert a backbone ahead of time."""

import argparse

from spring.cli.opening import load
from spring.cli.options import add_model_options, add_tokens_option, say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    add_model_options(parser)
    add_tokens_option(parser)


def run(options: argparse.Namespace) -> None:
    """Fetch, convert or pack the backbone that the options name: loading it does what is missing."""
    say(f"{load(options).backbone.name} is ready.")
