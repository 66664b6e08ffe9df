"""`python -m spring backbones`: the known backbones, what they need, and which of them are here."""

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spring.models.catalog import KnownBackbone

COLUMNS = ("name", "on the hub", "download", "memory in 4bit", "gated", "model here", "tokens here")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> None:
    """List the known backbones. Memory: of a GPU, for weights, the cache of two answers and workspace."""
    from spring.models.catalog import KNOWN_BACKBONES

    rows = [_row(known) for known in KNOWN_BACKBONES.values()]
    if options.json:
        print(json.dumps(rows))
        return
    table = [COLUMNS, *(tuple(map(_cell, row.values())) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _row(known: "KnownBackbone") -> dict[str, Any]:
    from spring.models.finder import model_here, tokens_here

    return {
        "name": known.name,
        "hub_id": known.hub_id,
        "download_bytes": 2 * known.size.parameters,  # the hub has them in 16 bits
        "memory_bytes_4bit": known.size.bytes_needed("4bit"),
        "gated": known.gated,
        "model_here": model_here(known),
        "tokens_here": tokens_here(known),
    }


def _cell(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value / 1e9:.1f} GB"
    return str(value)
