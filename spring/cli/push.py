"""`spring push`: give virtual tokens away on the hub, with a model card written from their metadata."""

import argparse
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from spring.cli.options import say
from spring.errors import PromptError, TokenFileError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("file", metavar="FILE", help="a token file, or a known backbone for the tokens shipped for it")
    parser.add_argument("repository", metavar="OWNER/NAME", help="of the hub; it is made if it is not there")
    parser.add_argument("--base-model", metavar="ID", help="on the hub; default: that of the known backbone")
    parser.add_argument("--license", metavar="ID", help="of the hub's list, such as mit or cc-by-sa-4.0")
    parser.add_argument("--dataset", nargs="+", default=[], metavar="ID", help="on the hub, that the tokens come from")
    parser.add_argument("--private", action="store_true", help="if the repository is made now, only you see it")
    parser.add_argument("--dry-run", action="store_true", help="send nothing: only write the folder of --output")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep the three files that are sent in this folder")


def run(options: argparse.Namespace) -> None:
    """Write the three files, and send them unless it is a dry run."""
    if options.dry_run and not options.output:
        raise PromptError("--dry-run writes a folder and sends nothing: name the folder with --output.")
    from spring.models.catalog import table_name
    from spring.models.finder import named_tokens
    from spring.models.hub import HubError, upload
    from spring.models.model_card import base_model_of, model_card, require_repository
    from spring.models.repository import write_repository

    require_repository(options.repository)
    tokens = named_tokens(options.file, say, options.base_model)
    base = base_model_of(tokens, options.base_model)
    # Who loads the model from the hub has it under the name of the table, or its id.
    tokens = replace(tokens, backbone=table_name(base), details=_public(tokens.details))
    card = model_card(tokens, options.repository, base, options.license, options.dataset)
    if not (options.license or tokens.details.get("license")):
        say("The card names no licence, so nobody may use the tokens: give one with --license.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.output or Path(temporary)
        write_repository(folder, tokens, base, card)
        if options.dry_run:
            print(f"{folder}: what would be sent to {options.repository}.")
            return
        try:
            print(upload(folder, options.repository, options.private))
        except HubError as error:
            raise TokenFileError(f"The tokens could not be sent: {error}.") from error


def _public(details: Mapping[str, str]) -> dict[str, str]:
    """The details as others may see them: the files of a command by their names, without the folders of a machine."""
    command = details.get("command", "")
    names = re.sub(r"(?<![\w.])(?:~|\.{1,2})?/(?:[^\s'\"/]+/)*([^\s'\"/]+)", r"\1", command)
    return {**details, **({"command": names} if command else {})}
