"""`python -m spring backbones`: the known backbones, what they need, and which of them are here."""

import argparse
import json
from typing import TYPE_CHECKING, Any

from spring.cli.options import say

if TYPE_CHECKING:
    from spring.models.catalog import KnownBackbone
    from spring.models.size import Workload

COLUMNS = ("name", "on the hub", "download", "memory in 4bit", "gated", "model here", "tokens here")
_PARTS = ("cache_bytes", "graph_bytes")  # of the memory; in JSON alone


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments and options."""
    add = parser.add_argument
    add("--virtual-tokens", nargs="+", type=int, metavar="K", help="k of each answer written at once; default: 0 50")
    add("--passage-tokens", type=int, default=1800, metavar="N", help="length of the passages; default: 1800, of ten")
    add("--max-new-tokens", type=int, default=50, metavar="N", help="length of an answer; default: 50")
    add("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> None:
    """List the known backbones.

    Memory: of a GPU, for weights, the keys and values of the answers, recorded steps and workspace.
    """
    from spring.models.catalog import KNOWN_BACKBONES
    from spring.models.size import Workload

    ks = tuple(options.virtual_tokens or (0, 50))
    work = Workload(ks, options.passage_tokens, new_tokens=options.max_new_tokens, number=max(50, *ks))
    rows = [_row(known, work) for known in KNOWN_BACKBONES.values()]
    if options.json:
        print(json.dumps(rows))
        return
    table = [COLUMNS, *(tuple(_cell(value) for name, value in row.items() if name not in _PARTS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    say(
        f"Memory: of a GPU, for answers of {work.new_tokens:,} tokens at once (k = {', '.join(map(str, ks))}) to "
        f"{work.passages:,} tokens of passages, with room for recorded steps."
    )


def _row(known: "KnownBackbone", work: "Workload") -> dict[str, Any]:
    from spring.models.finder import model_here, tokens_here

    graphs = known.size.graph_bytes("4bit", work=work)
    return {
        "name": known.name,
        "hub_id": known.hub_id,
        "download_bytes": 2 * known.size.parameters,  # the hub has them in 16 bits
        "memory_bytes_4bit": known.size.bytes_needed("4bit", work=work) + graphs,
        "cache_bytes": known.size.cache_bytes("4bit", work=work),
        "graph_bytes": graphs,
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
