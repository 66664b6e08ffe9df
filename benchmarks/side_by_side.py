"""Time of our side-by-side comparison divided by that of the recipe (one `generate` per k), in one run.

    python -m benchmarks.side_by_side [--json] [--runs 5]

Keys: `two` for k in (0, 50); `eight` for k in (0, 1, 2, 5, 10, 20, 30, 50); `three`: the time of k in (0, 50) and the
worked examples in words, divided by that of the two; `again`: the time to the first token when asking again with
another k on the same passages, divided by the first time's; and the median seconds.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.recipe import Recipe
from spring.data.types import Passage
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions, GenerationRequest, Progress
from spring.models.loader import load_backbone
from spring.rag.prompt import Prompt, build_prompt
from spring.settings import DEFAULT_BACKBONE

TWO = (0, 50)
EIGHT = (0, 1, 2, 5, 10, 20, 30, 50)
NEW_TOKENS = 32
PASSAGE_TOKENS = 600
QUESTION = "When does the ferry of Orlo Station leave the northern pier?"


def passages_of(engine: LocalEngine, tokens: int) -> Prompt:
    """A prompt whose passage part has about `tokens` tokens."""
    sentence = "The ferry of Orlo Station leaves the northern pier at nine and carries wool, salt and letters. "
    count = 1
    while True:
        passages = [Passage("benchmark.txt", 1, i, sentence * count) for i in range(3)]
        prompt = build_prompt(passages, QUESTION)
        if len(engine.backbone.tokenization.encode(prompt)[0]) >= tokens:
            return prompt
        count += 1


def asked(prompt: Prompt, ks: Sequence[int]) -> list[GenerationRequest]:
    """A request for each k."""
    return [GenerationRequest(prompt, k) for k in ks]


def generate(engine: LocalEngine, requests: Sequence[GenerationRequest]) -> Progress:
    """All answers, of the same length."""
    *_, progress = engine.stream(requests, DecodingOptions(NEW_TOKENS, ignore_eos=True))
    return progress


def ours(engine: LocalEngine, prompt: Prompt, ks: Sequence[int]) -> tuple[float, list[list[int]]]:
    """Time to the first token of all rows, and the ids generated."""
    progress = generate(engine, asked(prompt, ks))
    return progress.answers[0].first_token_seconds, [list(ids) for ids in progress.ids]


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure(engine: LocalEngine, runs: int, report: Callable[[str], None]) -> dict[str, object]:
    """All figures, the two ways taken in turn so that both see the same machine."""
    # On the engine's own thread: OpenMP gives every thread that computes a team of its own, and with more threads
    # than cores its barriers sleep, which slows down both ways, ours the more.
    recipe = engine.on_worker(Recipe.extend, engine.backbone, engine.tokens)
    prompt = passages_of(engine, PASSAGE_TOKENS)
    words = build_prompt([], QUESTION, "examples").after
    examples = GenerationRequest(Prompt(prompt.before, words), 0, "examples")
    seconds: dict[str, list[float]] = {}
    for run in range(runs + 1):  # the first is a warm-up
        took: dict[str, float] = {}
        for name, ks in (("two", TWO), ("eight", EIGHT)):
            engine.prefixes.clear()
            texts: list[list[int]] = []
            theirs: list[list[int]] = []

            def write(out: list[list[int]] = texts, ks: Sequence[int] = ks) -> None:
                out.extend(ours(engine, prompt, ks)[1])

            def write_by_recipe(out: list[list[int]] = theirs, ks: Sequence[int] = ks) -> None:
                out.extend(engine.on_worker(recipe.generate, prompt, k, NEW_TOKENS, True) for k in ks)

            took[f"{name}_ours"] = timed(write)
            took[f"{name}_recipe"] = timed(write_by_recipe)
            if texts != theirs and engine.backbone.precision == "fp32":  # others depend on the batch's shape
                raise SystemExit(f"the two ways gave different tokens for k in {ks}")
        engine.prefixes.clear()
        took["three_ours"] = timed(lambda: generate(engine, [*asked(prompt, TWO), examples]))
        engine.prefixes.clear()
        took["first"] = ours(engine, prompt, (0, 50))[0]
        took["again"] = ours(engine, prompt, (0, 20))[0]
        report(f"run {run}: " + ", ".join(f"{key} {value:.2f} s" for key, value in took.items()))
        if run:
            for key, value in took.items():
                seconds.setdefault(key, []).append(value)
    median = {key: statistics.median(values) for key, values in seconds.items()}
    return {
        "two": round(median["two_ours"] / median["two_recipe"], 3),
        "eight": round(median["eight_ours"] / median["eight_recipe"], 3),
        "three": round(median["three_ours"] / median["two_ours"], 3),
        "again": round(median["again"] / median["first"], 3),
        "seconds": {key: round(value, 3) for key, value in median.items()},
        "runs": runs,
        "backbone": engine.backbone.name,
        "precision": engine.backbone.precision,
        "new_tokens": NEW_TOKENS,
        "passage_tokens": len(engine.backbone.tokenization.encode(prompt)[0]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5, help="counted runs after one warm-up (default 5)")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    backbone = load_backbone(options.backbone, options.precision)
    engine = LocalEngine(backbone, backbone.initial_virtual_tokens())
    figures = measure(engine, options.runs, lambda line: print(line, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
