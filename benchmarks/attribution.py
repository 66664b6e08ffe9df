"""Time of attributing a comparison's answers to its passages, divided by that of the comparison; one run, in turns.

    python -m benchmarks.attribution [--json] [--runs 5] [--passages 3 10]

The questions are those of a sample collection; the answers are for k in (0, 50) and the worked examples in words.
Prints the median ratio for each number of passages, and the median seconds.
"""

import argparse
import json
import statistics
import sys
import time

from spring.generation.attribution import attribute
from spring.generation.comparison import ComparisonSettings, compare
from spring.generation.engine import load_engine
from spring.rag.library import load_samples
from spring.settings import DEFAULT_BACKBONE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5, help="counted questions after one warm-up (default 5)")
    parser.add_argument("--passages", nargs="+", type=int, default=[3, 10], metavar="N")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    engine = load_engine(options.backbone, precision=options.precision)
    library = load_samples()[0]
    ratios: dict[int, list[float]] = {number: [] for number in options.passages}
    seconds: dict[int, list[tuple[float, float]]] = {number: [] for number in options.passages}
    for run, question in enumerate(library.questions[: options.runs + 1]):  # the first is a warm-up
        for number in options.passages:
            settings = ComparisonSettings((0, len(engine.tokens)), number, ("examples",))
            engine.prefixes.clear()
            started = time.perf_counter()
            *_, comparison = compare(engine, library.retriever, question.question, settings)
            compared = time.perf_counter()
            list(attribute(engine, comparison))
            took = compared - started, time.perf_counter() - compared
            line = (
                f"run {run}, {len(comparison.hits)} passages: comparison {took[0]:.2f} s, attribution {took[1]:.2f} s"
            )
            print(line, file=sys.stderr, flush=True)
            if run:
                ratios[number].append(took[1] / took[0])
                seconds[number].append(took)
    figures = {
        "ratio": {number: round(statistics.median(values), 3) for number, values in ratios.items()},
        "seconds": {
            number: [round(statistics.median(column), 2) for column in zip(*values, strict=True)]
            for number, values in seconds.items()
        },
        "runs": options.runs,
        "backbone": engine.backbone.name,
        "precision": engine.backbone.precision,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
