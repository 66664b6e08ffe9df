"""How far the logits of the precisions are from those of fp32, as a text is read.

    python -m benchmarks.rounding [--backbone NAME] [--document FILE] [--tokens 900] [--json]

Prints for each precision the Kullback-Leibler divergence of the next token's distribution from that of fp32 (mean and
maximum over the places, in nats), and the share of places where the likeliest token is the same. "without turns" is
int4-int8 whose channels are rounded as they are (see `spring.models.int8`). More than 16 rows are fed at once, so this
is of reading, not of writing.
"""

import argparse
import json
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from spring.data.collection import read_collection
from spring.models import int8
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.models.packed_linear import PackedLinear
from spring.settings import DEFAULT_BACKBONE

DOCUMENT = Path(__file__).parent.parent / "README.md"
PRECISIONS = ("bf16", "int4-int8", "without turns", "4bit")


def logits_of(backbone: Backbone, ids: Tensor) -> Tensor:
    """Logarithms of the next token's probabilities, (length, vocabulary)."""
    with torch.inference_mode():
        logits: Tensor = backbone.model(ids[None]).logits[0]
    return logits.float().log_softmax(-1)


def without_turns(backbone: Backbone, full: Backbone) -> None:
    """Round the weights for many rows once more, from those in fp32; `int8.BLOCK` is 1 meanwhile."""
    for name, module in backbone.model.named_modules():
        if isinstance(module, PackedLinear) and module.int8 is not None:
            linear = full.model.get_submodule(name)
            assert isinstance(linear, nn.Linear)
            module.int8 = int8.pack_int8(linear.weight.detach())


def measure(name: str, text: str, tokens: int) -> dict[str, dict[str, float]]:
    """The figures of each precision."""
    full = load_backbone(name, "fp32")
    ids = torch.tensor(full.tokenization.tokenizer(text)["input_ids"][:tokens])
    exact, figures = logits_of(full, ids), {}
    for precision in PRECISIONS:
        plain = precision == "without turns"
        backbone = load_backbone(name, "int4-int8" if plain else precision)
        with patch.object(int8, "BLOCK", 1 if plain else int8.BLOCK):
            if plain:
                without_turns(backbone, full)
            found = logits_of(backbone, ids)
        divergence = (exact.exp() * (exact - found)).sum(-1)
        figures[precision] = {
            "mean": round(divergence.mean().item(), 5),
            "maximum": round(divergence.max().item(), 3),
            "same_token": round((exact.argmax(-1) == found.argmax(-1)).float().mean().item(), 3),
        }
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    parser.add_argument("--tokens", type=int, default=900)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    text = "\n".join(passage.text for passage in read_collection([options.document]).passages)
    figures = measure(options.backbone, text, options.tokens)
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'':14}{'mean':>9}{'maximum':>9}{'same token':>12}")
    for precision, row in figures.items():
        print(f"{precision:14}{row['mean']:9.5f}{row['maximum']:9.3f}{row['same_token']:12.3f}")


if __name__ == "__main__":
    main()
