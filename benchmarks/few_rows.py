"""Time of a linear layer on the CPU for few rows: x W^T as in nn.Linear, and (W x^T)^T as in spring/models/cpu.py.

    python -m benchmarks.few_rows [--json]

Prints, for the shapes of the default backbone's layers and each number of rows, the second divided by the first.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

SHAPES = {"attention": (576, 576, 30), "mlp": (1536, 576, 30), "lm_head": (49152, 576, 1)}  # out, in, layers
ROWS = (1, 2, 4, 6, 8, 12, 16, 32, 64)


def _seconds(function: Callable[[Tensor], Tensor], weights: list[Tensor], runs: int = 15) -> float:
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        for weight in weights:
            function(weight)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _transposed(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.mm(weight, x.t()).t().contiguous()


def measure() -> dict[str, dict[int, float]]:
    """Ratio for each shape and number of rows."""
    ratios: dict[str, dict[int, float]] = {}
    for name, (rows_out, columns, layers) in SHAPES.items():
        weights = [torch.randn(rows_out, columns) for _ in range(layers)]
        ratios[name] = {}
        for rows in ROWS:
            x = torch.randn(rows, columns)
            plain = _seconds(partial(torch.nn.functional.linear, x), weights)
            turned = _seconds(partial(_transposed, x), weights)
            ratios[name][rows] = round(turned / plain, 2)
    return ratios


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with torch.inference_mode():
        ratios = measure()
    if options.json:
        print(json.dumps(ratios))
        return
    print("rows     " + "".join(f"{rows:>7}" for rows in ROWS))
    for name, by_rows in ratios.items():
        print(f"{name:9}" + "".join(f"{ratio:7.2f}" for ratio in by_rows.values()))


if __name__ == "__main__":
    main()
