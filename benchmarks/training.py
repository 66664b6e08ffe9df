"""A training step of ours against differentiating the whole sequence, as the published wrapper does; one run.

    python -m benchmarks.training [--json] [--runs 3] [--batch 4] [--shared-k]

The same batch both ways: `--batch` samples of about 450 passage tokens, k in turns 50, 20, 5, 1. Keys: `time` and
`memory` are ours divided by theirs (memory: the peak of a step above what the loaded model takes), `gradient` the
relative difference of the two gradients. With `--shared-k` also `k_per_second`: targets learned from per second when
three k share a sample's passages, divided by that when each has its own.
"""

import argparse
import ctypes
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.side_by_side import passages_of
from spring.generation.engine import LocalEngine
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.settings import DEFAULT_BACKBONE
from spring.training.backbones import prepare_attention, training_precision
from spring.training.loss import Example, Target, losses
from spring.training.prefix_states import PrefixStates

KS = (50, 20, 5, 1)
PASSAGE_TOKENS = 450


def whole_sequence(backbone: Backbone, tokens: Tensor, batch: list[Example]) -> Tensor:
    """Losses the published way: one padded batch of whole sequences, logits everywhere, attention as loaded."""
    backbone.model.set_attn_implementation("sdpa")
    rows = []
    for example in batch:
        (target,) = example.targets
        ids = backbone.embed(torch.tensor([*example.before, *target.question, *target.answer]))
        seam = len(example.before)
        rows.append(torch.cat([ids[:seam], tokens[: target.virtual_tokens].to(ids), ids[seam:]]))
    embeddings = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # right of the answers, where none looks
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
    mask = mask.to(embeddings.device)
    logits = backbone.model(inputs_embeds=embeddings, attention_mask=mask).logits.float()
    found = []
    for row, example, row_logits in zip(rows, batch, logits, strict=True):
        answer = torch.tensor(example.targets[0].answer, device=logits.device)
        end = len(row) - 1
        found.append(functional.cross_entropy(row_logits[end - len(answer) : end], answer))
    return torch.stack(found)


def batch_of(backbone: Backbone, size: int, shared: int = 1) -> list[Example]:
    """Examples of about 450 passage tokens."""
    engine = LocalEngine(backbone, backbone.initial_virtual_tokens())
    prompt = passages_of(engine, PASSAGE_TOKENS)
    before, after, answer = map(tuple, backbone.encode_answer(prompt, "the northern pier at nine"))
    return [
        Example(before, tuple(Target(KS[(i + j) % len(KS)], after, answer) for j in range(shared))) for i in range(size)
    ]


def measured(step: Callable[[], Tensor], device: str) -> tuple[float, float, Tensor]:
    """Seconds, peak bytes above the start, and the gradient of one step."""
    gc.collect()
    before = _reset_peak(device)
    started = time.perf_counter()
    gradient = step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started, _peak(device) - before, gradient


def _reset_peak(device: str) -> float:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated())
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # give back what the step before has freed
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak of resident memory starts anew
    return _status("VmRSS")


def _peak(device: str) -> float:
    return float(torch.cuda.max_memory_allocated()) if device == "cuda" else _status("VmHWM")


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return float(line.split()[1]) * 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=3, help="counted runs after one warm-up (default 3)")
    parser.add_argument("--batch", type=int, default=4, help="samples in the batch (default 4)")
    parser.add_argument("--shared-k", action="store_true", help="measure the sharing of passages as well")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE)
    parser.add_argument("--precision", default="fp32")
    options = parser.parse_args()
    backbone = load_backbone(options.backbone, training_precision(options.precision), learning=True)
    device = backbone.model.device.type
    tokens = backbone.initial_virtual_tokens().embeddings.to(backbone.model.device).requires_grad_()
    batch = batch_of(backbone, options.batch)

    def packed(backbone: Backbone, tokens: Tensor, rows: list[Example]) -> Tensor:
        prepare_attention(backbone)
        return losses(PrefixStates(backbone), tokens, rows)

    def gradient(loss: Callable[[Backbone, Tensor, list[Example]], Tensor], rows: list[Example]) -> Tensor:
        return torch.autograd.grad(loss(backbone, tokens, rows).mean(), tokens)[0]

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: gradient(packed, batch),
        "whole": lambda: gradient(whole_sequence, batch),
    }
    if options.shared_k:
        shared = batch_of(backbone, options.batch, shared=3)
        ways["shared"] = lambda: gradient(packed, shared)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    peaks: dict[str, list[float]] = {way: [] for way in ways}
    found: dict[str, Tensor] = {}
    for run in range(options.runs + 1):
        for way, step in ways.items():
            took, peak, found[way] = measured(step, device)
            print(f"run {run}, {way}: {took:.2f} s, {peak / 2**20:.0f} MiB", file=sys.stderr, flush=True)
            if run:
                seconds[way].append(took)
                peaks[way].append(peak)
    median = {way: statistics.median(values) for way, values in seconds.items()}
    memory = {way: statistics.median(values) for way, values in peaks.items()}
    figures: dict[str, object] = {
        "time": round(median["ours"] / median["whole"], 3),
        "memory": round(memory["ours"] / memory["whole"], 3),
        "gradient": float((found["ours"] - found["whole"]).norm() / found["whole"].norm()),
        "seconds": {way: round(value, 3) for way, value in median.items()},
        "mebibytes": {way: round(value / 2**20) for way, value in memory.items()},
        "samples_per_second": round(options.batch / median["ours"], 2),
        "passage_tokens": len(batch[0].before),
        "batch": options.batch,
        "backbone": backbone.name,
        "precision": backbone.precision,
    }
    if options.shared_k:
        figures["k_per_second"] = round(3 * median["ours"] / median["shared"], 3)
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key}: {value}")


if __name__ == "__main__":
    main()
