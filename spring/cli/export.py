"""`spring export`: a model folder with the virtual tokens in it, for vLLM and other servers."""

import argparse
from pathlib import Path

from spring.cli.options import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the backbone, the tokens and the output folder."""
    parser.add_argument(
        "--backbone", metavar="NAME", help="a known name or a hub id, each with @REVISION if wanted, or a model folder"
    )
    parser.add_argument(
        "--tokens",
        metavar="FILE",
        help="virtual tokens, .safetensors or .pt; also OWNER/NAME/FILE[@REVISION] on the hub",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to make")


def run(options: argparse.Namespace) -> None:
    """Write and check the folder."""
    from spring.models.export import export_model
    from spring.settings import DEFAULT_BACKBONE

    exported = export_model(options.backbone or DEFAULT_BACKBONE, options.tokens, options.output, say)
    last = exported.first + exported.number - 1
    print(f"{options.output}: {exported.bytes / 1e9:.2f} GB, virtual tokens are the ids {exported.first} to {last}.")
    if exported.checked is None:
        print("There is no memory to load it here: its bytes were compared with the backbone's, its logits were not.")
    else:
        print(
            f"Loaded in {exported.checked.precision}, its logits differ from the backbone's by at most "
            f"{exported.checked.largest_difference:.1e}."
        )
    print(f"{options.output / 'README.md'} says how to serve it.")
