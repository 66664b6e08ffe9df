"""What a graphics card does with a random-weight model of exactly Mistral-7B's shape, in NF4 and in bf16.

    pip install -r requirements.txt
    python -m benchmarks.gpu --all --json > gpu.json     # everything: at most ten minutes on a data-centre card
    python -m benchmarks.gpu --all --json --shape small --training-shape small --device cpu --runs 1   # to try it

It needs 20 GB of the card's memory, in NF4 too: the weights are made there in bf16 before they are packed. On a CPU the
captured step is run as it is (`SPRING_STEP=static`), so the way is the same and the figures are not those meant.

For each precision, eager and captured, medians over the runs after a warm-up, through `Engine.stream`: the seconds of
1, 2 and 8 answers (k = 0; 0 and 50; eight k) from asking to the last token, the passages read anew; milliseconds of a
step; `first_token_seconds`, `tokens_per_second` and `bandwidth_share` of one answer, the bytes of weights that a token
needs divided by what the card copies in that time; seconds to record each step and the bytes of those kept;
`two_over_recipe`, both answers side by side by one after the other in the recipe's way. `same_tokens`: the share of
eight answers' tokens that are the same both ways (below fp32 not all need be). `--all` adds training steps a second of
64 samples of three k. `reached` compares with the goals of the captured step.
"""

import argparse
import gc
import json
import sys
from typing import Any

import torch

from benchmarks.gpu_decoding import measure, report, synchronize
from benchmarks.gpu_training import measure_training
from benchmarks.random_model import SHAPES, random_backbone
from benchmarks.side_by_side import timed

AT_LEAST = {"bf16": {"bandwidth_share": 0.45}, "4bit": {"tokens_per_second": 130.0}}
AT_MOST = {
    "bf16": {"two_over_one": 1.08, "two_over_recipe": 0.25},
    "4bit": {"two_over_one": 1.35, "two_over_recipe": 0.25},
}


def copied_per_second(device: str, size: int) -> float:
    """Bytes that the memory reads and writes in a second, measured by copying `size` bytes."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        synchronize(device)

    copy()
    return 2 * size / min(timed(copy) for _ in range(5))


def goals(precision: str, captured: dict[str, Any]) -> dict[str, str]:
    """Each goal of a precision, with what was measured and whether that reaches it."""
    sides = (("at least", AT_LEAST, 1), ("at most", AT_MOST, -1))
    return {
        key: f"{captured[key]}, {words} {goal}: {'reached' if sign * (captured[key] - goal) >= 0 else 'not reached'}"
        for words, of_precision, sign in sides
        for key, goal in of_precision.get(precision, {}).items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="training as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="mistral-7b")
    parser.add_argument("--training-shape", choices=tuple(SHAPES), default="smollm2-135m")
    parser.add_argument("--precisions", nargs="+", choices=("4bit", "4bit-double", "bf16"), default=["4bit", "bf16"])
    parser.add_argument("--runs", type=int, default=5, help="counted runs after one warm-up (default 5)")
    parser.add_argument("--passage-tokens", type=int, default=600)
    parser.add_argument("--new-tokens", type=int, default=50)
    parser.add_argument("--training-samples", type=int, default=64, help="of a training step (default 64)")
    parser.add_argument("--training-steps", type=int, default=10, help="counted ones after one warm-up (default 10)")
    parser.add_argument("--compiled", action="store_true", help="`generate` with a compiled step too: minutes more")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no GPU here: try the program with --shape small --training-shape small --device cpu.")
    if options.runs < 1 or options.new_tokens < 2 or options.training_steps < 1 or options.training_samples < 4:
        sys.exit("At least one run, two new tokens, one training step and four samples are needed.")
    bandwidth = copied_per_second(options.device, 2**30 if options.device == "cuda" else 2**26)
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if options.device == "cuda" else "CPU: these are not the figures meant",
        "torch": torch.__version__,
        "shape": options.shape,
        "passage_tokens": options.passage_tokens,
        "new_tokens": options.new_tokens,
        "runs": options.runs,
        "copied_gb_per_second": round(bandwidth / 1e9, 1),
    }
    tokens = (options.passage_tokens, options.new_tokens)
    for precision in options.precisions:
        backbone = random_backbone(options.shape, precision, options.device)
        measured = measure(backbone, options.device, bandwidth, options.runs, tokens, options.compiled)
        reached = goals(precision, measured["captured"]) if options.device == "cuda" else "these are goals for a card"
        figures[precision] = measured | {"reached": reached}
        report(json.dumps({precision: figures[precision]}))  # should what follows fail
        del backbone
        gc.collect()
    if options.all:
        figures["training"] = measure_training(
            options.training_shape, options.device, options.training_samples, options.training_steps + 1
        )
    if options.json:
        print(json.dumps(figures))
        return
    for key, value in figures.items():
        print(f"{key}: {value}")


if __name__ == "__main__":
    main()
