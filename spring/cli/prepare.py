"""`python -m spring prepare`: fetch or convert a backbone ahead of time."""

import argparse

from spring.cli.options import Commands, add_model_options, add_tokens_option, load, say


def add_prepare(commands: Commands) -> None:
    """Add the command `prepare`."""
    parser = commands.add_parser("prepare", help="fetch or convert a backbone ahead of time")
    add_model_options(parser)
    add_tokens_option(parser)
    parser.set_defaults(run=prepare)


def prepare(options: argparse.Namespace) -> None:
    """Fetch or convert the backbone that the options name."""
    from spring.models.bundled import embedded_model
    from spring.settings import DEFAULT_BACKBONE

    name = options.backbone or DEFAULT_BACKBONE
    if name != DEFAULT_BACKBONE or embedded_model(say) is None:
        name = load(options).backbone.name  # loading it fetches what is missing
    say(f"{name} is ready.")
