"""What a graphics card does with a random-weight model of exactly Mistral-7B's shape, in NF4 and in bf16.

    pip install -r requirements.txt
    python -m benchmarks.gpu --json > gpu.json
    python -m benchmarks.gpu --json --shape small --device cpu   # to try the program without a card

It needs 20 GB of the card's memory, in NF4 too: the weights are made there in bf16 before they are packed. It was not
run on a card yet; the second line is what was run.

For each precision: `memory_gb` of the weights and `peak_gb` of it all; `read_tokens_per_second` of the passages;
`first_token_seconds` and `tokens_per_second` of one answer (k = 0); `bandwidth_share`, the bytes of weights that a
token needs, divided by what the card copies in that time; the seconds of k = 0 alone (`one`), of k = 0 and 50 side by
side (`two`), and of both one after the other in the recipe's way (`recipe`); and tokens per second of plain `generate`
with a growing cache, a static cache, and a static cache with a compiled step. `reached` compares with the aims: side by
side at most 1.15 times the time of one answer and 0.55 times the recipe's. Medians over the runs after a warm-up.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.random_model import SHAPES, random_backbone
from benchmarks.recipe import Recipe
from benchmarks.side_by_side import passages_of, timed
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions, GenerationRequest, Progress
from spring.models.backbone import Backbone
from spring.rag.prompt import Prompt

TWO = (0, 50)
AIMS = {"two_over_one": 1.15, "two_over_recipe": 0.55}


def synchronize(device: str) -> None:
    """Wait for the card."""
    if device == "cuda":
        torch.cuda.synchronize()


def copied_per_second(device: str, size: int) -> float:
    """Bytes that the memory reads and writes in a second, measured by copying `size` bytes."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)
        synchronize(device)

    copy()
    return 2 * size / min(timed(copy) for _ in range(5))


def bytes_of_a_token(backbone: Backbone) -> int:
    """Bytes of weights that are read for one new token: all but the input embeddings, of which it needs a row."""
    embeddings: Any = backbone.model.get_input_embeddings()
    return int(sum(tensor.nbytes for tensor in backbone.model.state_dict().values()) - embeddings.weight.nbytes)


def answer(engine: LocalEngine, prompt: Prompt, ks: Sequence[int], new_tokens: int) -> Progress:
    """All answers to a prompt, the passages read anew."""
    engine.prefixes.clear()
    *_, last = engine.stream([GenerationRequest(prompt, k) for k in ks], DecodingOptions(new_tokens, ignore_eos=True))
    return last


def read(engine: LocalEngine, prompt: Prompt, device: str) -> None:
    """The passages alone."""
    engine.prefixes.clear()
    before = len(engine.backbone.tokenization.encode(prompt)[0])
    for progress in engine.stream([GenerationRequest(prompt)], DecodingOptions(1, ignore_eos=True)):
        if progress.prefix_read == before:
            break
    engine.on_worker(synchronize, device)


def plain_tokens_per_second(backbone: Backbone, prompt: Prompt, new_tokens: int, **options: object) -> float | str:
    """Decoding speed of plain `generate`; why, if it does not work this way."""
    ids = backbone.tokenizer(str(prompt), return_tensors="pt")["input_ids"].to(backbone.model.device)
    asked = {"attention_mask": torch.ones_like(ids), "do_sample": False, "pad_token_id": 0, "eos_token_id": None}

    def generate(tokens: int) -> float:
        model: Any = backbone.model
        return timed(lambda: model.generate(ids, max_new_tokens=tokens, **asked, **options)[0].tolist())

    try:
        generate(new_tokens)  # compiles
        generate(new_tokens)
        return round((new_tokens - 1) / max(generate(new_tokens) - generate(1), 1e-9), 1)
    except Exception as error:  # noqa: BLE001 - compilers fail in many ways; none may cost the other figures
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


WAYS: dict[str, dict[str, object]] = {
    "growing cache": {},
    "static cache": {"cache_implementation": "static", "disable_compile": True},
    "static cache, compiled step": {"cache_implementation": "static"},
}


def measure(
    backbone: Backbone, device: str, bandwidth: float, runs: int, tokens: tuple[int, int], report: Callable[[str], None]
) -> dict[str, object]:
    """The figures of one backbone; `tokens` are those of the passages and of an answer."""
    passage_tokens, new_tokens = tokens
    engine = LocalEngine(backbone, backbone.initial_virtual_tokens())
    weights = torch.cuda.memory_allocated() if device == "cuda" else bytes_of_a_token(backbone)
    prompt = passages_of(engine, passage_tokens)
    recipe = engine.on_worker(Recipe.extend, backbone, engine.tokens)
    seconds: dict[str, list[float]] = {}
    for run in range(runs + 1):  # the first is a warm-up
        took = {"read": timed(lambda: read(engine, prompt, device))}
        started = time.perf_counter()
        alone = answer(engine, prompt, (0,), new_tokens).answers[0]
        took |= {"one": time.perf_counter() - started, "first": alone.first_token_seconds}
        took["token"] = 1 / alone.tokens_per_second
        took["two"] = timed(lambda: answer(engine, prompt, TWO, new_tokens))
        generate = [lambda k=k: engine.on_worker(recipe.generate, prompt, k, new_tokens, True) for k in TWO]
        took["recipe"] = sum(map(timed, generate))
        report(f"{backbone.precision}, run {run}: " + ", ".join(f"{key} {value:.3f} s" for key, value in took.items()))
        if run:
            for key, value in took.items():
                seconds.setdefault(key, []).append(value)
    median = {key: statistics.median(values) for key, values in seconds.items()}
    ratios = {"two_over_one": median["two"] / median["one"], "two_over_recipe": median["two"] / median["recipe"]}
    figures: dict[str, object] = {
        "memory_gb": round(weights / 1e9, 2),
        "read_tokens_per_second": round(len(backbone.tokenization.encode(prompt)[0]) / median["read"]),
        "first_token_seconds": round(median["first"], 4),
        "tokens_per_second": round(1 / median["token"], 1),
        "bandwidth_share": round(bytes_of_a_token(backbone) / median["token"] / bandwidth, 3),
        "seconds": {key: round(median[key], 4) for key in ("one", "two", "recipe")},
        **{key: round(value, 3) for key, value in ratios.items()},
        "reached": {key: ratios[key] <= aim for key, aim in AIMS.items()},
        "plain_generate_tokens_per_second": {
            name: engine.on_worker(plain_tokens_per_second, backbone, prompt, new_tokens, **options)
            for name, options in WAYS.items()
        },
    }
    if device == "cuda":
        figures["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="mistral-7b")
    parser.add_argument("--precisions", nargs="+", choices=("4bit", "4bit-double", "bf16"), default=["4bit", "bf16"])
    parser.add_argument("--runs", type=int, default=5, help="counted runs after one warm-up (default 5)")
    parser.add_argument("--passage-tokens", type=int, default=600)
    parser.add_argument("--new-tokens", type=int, default=50)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("There is no GPU here: try the program with --shape small --device cpu.")
    if options.runs < 1 or options.new_tokens < 2:
        sys.exit("At least one run and two new tokens are needed.")
    bandwidth = copied_per_second(options.device, 2**30 if options.device == "cuda" else 2**26)
    figures: dict[str, object] = {
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
        if options.device == "cuda":
            torch.cuda.empty_cache()  # of the weights before they were packed
            torch.cuda.reset_peak_memory_stats()
        report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        figures[precision] = measure(backbone, options.device, bandwidth, options.runs, tokens, report)
        report(json.dumps({precision: figures[precision]}))  # should the next precision fail
        del backbone
        gc.collect()
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
