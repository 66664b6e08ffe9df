"""What a device does with one backbone through `Engine.stream`, decoding eagerly and with captured steps."""

import statistics
import sys
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch

from benchmarks.recipe import Recipe
from benchmarks.side_by_side import asked, passages_of, timed
from spring.generation.engine import LocalEngine
from spring.generation.static_step import StepShape
from spring.generation.types import DecodingOptions, GenerationRequest, Progress
from spring.models.backbone import Backbone
from spring.rag.prompt import Prompt
from spring.settings import DecodeStep

ROWS: dict[int, tuple[int, ...]] = {1: (0,), 2: (0, 50), 8: (0, 1, 2, 5, 10, 20, 30, 50)}
GROWING: dict[str, object] = {}
STATIC: dict[str, object] = {"cache_implementation": "static", "disable_compile": True}
COMPILED: dict[str, object] = {"cache_implementation": "static"}


def report(line: str) -> None:
    """Say how far it is."""
    print(line, file=sys.stderr, flush=True)


def synchronize(device: str) -> None:
    """Wait for the card."""
    if device == "cuda":
        torch.cuda.synchronize()


def bytes_of_a_token(backbone: Backbone) -> int:
    """Bytes of weights that are read for one new token: all but the input embeddings, of which it needs a row."""
    embeddings: Any = backbone.model.get_input_embeddings()
    return int(sum(tensor.nbytes for tensor in backbone.model.state_dict().values()) - embeddings.weight.nbytes)


def answer(engine: LocalEngine, prompt: Prompt, ks: Sequence[int], new_tokens: int) -> Progress:
    """All answers to a prompt, the passages read anew."""
    engine.on_worker(engine.prefixes.clear)
    *_, last = engine.stream(asked(prompt, ks), DecodingOptions(new_tokens, ignore_eos=True))
    return last


def read(engine: LocalEngine, prompt: Prompt, device: str) -> None:
    """The passages alone."""
    engine.on_worker(engine.prefixes.clear)
    before = len(engine.backbone.tokenization.encode(prompt)[0])
    for progress in engine.stream([GenerationRequest(prompt)], DecodingOptions(1, ignore_eos=True)):
        if progress.prefix_read == before:
            break
    engine.on_worker(synchronize, device)


def seconds_to_record(engine: LocalEngine, prompt: Prompt, ks: Sequence[int], new_tokens: int) -> float | None:
    """Seconds until a step for these answers is ready, none being kept; None: the engine is eager."""
    steps = engine.steps
    if steps is None:
        return None
    engine.on_worker(steps.clear)
    slots = engine.backbone.tokenization.count(prompt) + max(ks) + new_tokens
    started = time.perf_counter()
    ready = engine.on_worker(steps.take, StepShape.of(len(ks), slots, DecodingOptions(new_tokens)))
    engine.on_worker(synchronize, engine.device)
    seconds = time.perf_counter() - started
    if ready is None:
        return None
    steps.give_back(ready)
    return round(seconds, 3)


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


def measure_way(
    engine: LocalEngine, way: str, prompt: Prompt, device: str, bandwidth: float, runs: int, new_tokens: int
) -> tuple[dict[str, Any], list[tuple[int, ...]]]:
    """The figures of one way to decode, medians after a warm-up, and the ids of the most answers at once."""
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    taken: dict[int, list[float]] = {rows: [] for rows in ROWS}
    steps: dict[int, list[float]] = {rows: [] for rows in ROWS}
    first: list[float] = []
    reading: list[float] = []
    ids: list[tuple[int, ...]] = []
    recording = {rows: seconds_to_record(engine, prompt, ks, new_tokens) for rows, ks in ROWS.items()}
    for run in range(runs + 1):
        reading.append(timed(lambda: read(engine, prompt, device)))
        for rows, ks in ROWS.items():
            started = time.perf_counter()
            last = answer(engine, prompt, ks, new_tokens)
            taken[rows].append(time.perf_counter() - started)
            steps[rows].append(1 / last.answers[0].tokens_per_second)
            if rows == 1:
                first.append(last.answers[0].first_token_seconds)
            ids = list(last.ids)
        told = (f"{rows}: {taken[rows][-1]:.3f} s, {steps[rows][-1] * 1e3:.1f} ms a step" for rows in ROWS)
        report(f"{engine.backbone.precision}, {way}, run {run}, by rows: {'; '.join(told)}")
    step = {rows: statistics.median(values[1:]) for rows, values in steps.items()}
    figures: dict[str, Any] = {
        "first_token_seconds": round(statistics.median(first[1:]), 4),
        "read_tokens_per_second": round(
            len(engine.backbone.tokenization.encode(prompt)[0]) / statistics.median(reading[1:])
        ),
        "seconds": {rows: round(statistics.median(values[1:]), 4) for rows, values in taken.items()},
        "step_ms": {rows: round(value * 1e3, 2) for rows, value in step.items()},
        "tokens_per_second": round(1 / step[1], 1),
        "bandwidth_share": round(bytes_of_a_token(engine.backbone) / step[1] / bandwidth, 3),
    }
    figures["two_over_one"] = round(figures["seconds"][2] / figures["seconds"][1], 3)
    if engine.steps is not None:
        figures |= {"record_seconds": recording, "steps_gb": round(engine.steps.nbytes / 1e9, 2)}
    if device == "cuda":
        figures["peak_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return figures, ids


def measure(
    backbone: Backbone, device: str, bandwidth: float, runs: int, tokens: tuple[int, int], compiled: bool
) -> dict[str, Any]:
    """The figures of one backbone; `tokens` are those of the passages and of an answer."""
    passage_tokens, new_tokens = tokens
    weights = torch.cuda.memory_allocated() if device == "cuda" else bytes_of_a_token(backbone)
    initial = backbone.initial_virtual_tokens()
    figures: dict[str, Any] = {"memory_gb": round(weights / 1e9, 2)}
    ways: dict[str, DecodeStep] = {"eager": "eager", "captured": "auto" if device == "cuda" else "static"}
    ids: dict[str, list[tuple[int, ...]]] = {}
    for way, step in ways.items():
        engine = LocalEngine(backbone, initial, step=step)
        prompt = passages_of(engine, passage_tokens)
        figures[way], ids[way] = measure_way(engine, way, prompt, device, bandwidth, runs, new_tokens)
    pairs = zip(*(chain.from_iterable(rows) for rows in ids.values()), strict=True)
    same = [one == other for one, other in pairs]
    figures["same_tokens"] = round(sum(same) / len(same), 3)
    engine = LocalEngine(backbone, initial, step="eager")
    recipe = engine.on_worker(Recipe.extend, backbone, engine.tokens)
    once = [lambda k=k: engine.on_worker(recipe.generate, prompt, k, new_tokens, True) for k in ROWS[2]]
    figures["recipe_seconds"] = round(statistics.median([sum(map(timed, once)) for _ in range(runs + 1)][1:]), 4)
    for way in ways:
        figures[way]["two_over_recipe"] = round(figures[way]["seconds"][2] / figures["recipe_seconds"], 3)
    plain = {"growing cache": GROWING, "static cache": STATIC} | ({"compiled step": COMPILED} if compiled else {})
    figures["plain_generate_tokens_per_second"] = {
        name: engine.on_worker(plain_tokens_per_second, backbone, prompt, new_tokens, **options)
        for name, options in plain.items()
    }
    return figures
