"""Questions per second of `spring evaluate`: in batches, divided by one question at a time; one run, in turns.

    python -m benchmarks.evaluation [--json] [--questions 16] [--runs 3] [--virtual-tokens 0 50]

Both ways answer all k of a question together over one passage cache, so what is measured is the batching of
questions alone: it speeds up the writing, not the reading of passages and questions, so it gains the less the more k
each question is asked with. Keys: `batched` (the ratio), the medians in seconds, and whether the texts agree.
"""

import argparse
import json
import statistics
import sys
import time

from spring.evaluation.runner import Row, default_batch_size, evaluate
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import load_engine
from spring.rag.library import load_samples
from spring.settings import DEFAULT_BACKBONE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--questions", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3, help="counted runs after one warm-up (default 3)")
    parser.add_argument("--virtual-tokens", nargs="+", type=int, default=[0, 50], metavar="K")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    engine = load_engine(options.backbone, precision=options.precision)
    settings = ComparisonSettings(virtual_tokens=tuple(options.virtual_tokens))
    library = load_samples()[0]
    questions = library.questions[: options.questions]
    sizes = {"single": 1, "batched": default_batch_size(engine, settings)}
    seconds: dict[str, list[float]] = {way: [] for way in sizes}
    rows: dict[str, list[Row]] = {}
    for run in range(options.runs + 1):  # the first is a warm-up
        for way, size in sizes.items():
            engine.prefixes.clear()
            started = time.perf_counter()
            asked = questions if run else questions[:2]
            done = evaluate(engine, asked, library.retriever, settings, size)
            rows[way] = [row for batch in done for row in batch.rows]
            took = time.perf_counter() - started
            print(f"run {run}, {way}: {took:.2f} s", file=sys.stderr, flush=True)
            if run:
                seconds[way].append(took)
    median = {way: statistics.median(values) for way, values in seconds.items()}
    pairs = zip(rows["single"], rows["batched"], strict=True)
    figures = {
        "batched": round(median["single"] / median["batched"], 3),
        "seconds": {way: round(value, 2) for way, value in median.items()},
        "same_texts": sum(single.answer == batched.answer for single, batched in pairs) / len(rows["single"]),
        "questions": len(questions),
        "batch_size": sizes["batched"],
        "virtual_tokens": options.virtual_tokens,
        "learned": engine.tokens.learned,
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
