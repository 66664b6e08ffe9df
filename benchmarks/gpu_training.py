"""Optimizer steps a second of `spring train` on a device, for random weights of the default backbone's shape."""

import csv
import statistics
import tempfile
from pathlib import Path

import torch

from benchmarks.random_model import random_backbone
from spring.rag.library import load_samples
from spring.training.examples import Examples, SampleSettings
from spring.training.settings import TrainingSettings
from spring.training.trainer import learn

SHARED_K = 3
ACCUMULATION = 4


def measure_training(shape: str, device: str, samples: int, steps: int) -> dict[str, float | str]:
    """Learn for some steps from the questions of a sample collection, and read the log.

    Args:
        shape: of the backbone; its tokens are bytes, so one passage is as long as several of words.
        device: "cuda" or "cpu".
        samples: of a step, with three k each.
        steps: the first is a warm-up.

    """
    backbone = random_backbone(shape, "fp32", device)
    library = load_samples()[0]
    settings = SampleSettings(passages=(1, 1), shared_k=SHARED_K)
    examples = Examples(backbone, library.questions, library.retriever, settings=settings)
    run = TrainingSettings(
        epochs=steps * samples / len(library.questions),
        batch_size=samples // ACCUMULATION,
        gradient_accumulation=ACCUMULATION,
        save_every=steps,
    )
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        learn([backbone], examples, backbone.initial_virtual_tokens(), run, Path(folder))
        with (Path(folder) / "log.csv").open(encoding="utf-8") as log:
            seconds = [float(row["seconds"]) for row in csv.DictReader(log)]
    peak = {"peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2)} if device == "cuda" else {}
    return {
        "shape": shape,
        "samples": samples,
        "k": SHARED_K,
        "passage_tokens": round(statistics.mean(len(examples[i].before) for i in range(samples))),
        "steps_per_second": round(1 / statistics.median(seconds[1:]), 2),
        **peak,
    }
