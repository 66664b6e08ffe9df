"""`python -m spring prepare`: fetch or convert a backbone ahead of time."""

import argparse

from spring.cli.options import add_model_options, add_tokens_option, load, say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    add_model_options(parser)
    add_tokens_option(parser)


def run(options: argparse.Namespace) -> None:
    """Fetch or convert the backbone that the options name."""
    from spring.models.bundled import embedded_model
    from spring.settings import DEFAULT_BACKBONE

    name = options.backbone or DEFAULT_BACKBONE
    if name != DEFAULT_BACKBONE or embedded_model(say) is None:
        name = load(options).backbone.name  # loading it fetches what is missing
    say(f"{name} is ready.")
