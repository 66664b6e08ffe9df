"""Synthetic passages, and times."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from spring.data.types import Passage

VOCABULARY = 50_000


def synthetic_passages(size: int, seed: int = 0) -> list[Passage]:
    """Passages of 60 to 130 words w0, w1, ..., the n-th word as often as 1 / n."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    lengths = generator.integers(60, 131, size)
    words = generator.choice(VOCABULARY, lengths.sum(), p=weights / weights.sum())
    texts = (" ".join(f"w{word}" for word in part) for part in np.split(words, lengths.cumsum()[:-1]))
    return [Passage("synthetic.txt", 1, index, text) for index, text in enumerate(texts)]


def synthetic_rows(size: int) -> Iterator[bytes]:
    """Rows of JSON Lines, 100,000 passages at a time in memory."""
    for seed, start in enumerate(range(0, size, 100_000)):
        for passage in synthetic_passages(min(100_000, size - start), seed):
            yield json.dumps({"id": f"{seed}-{passage.index}", "text": passage.text}).encode() + b"\n"


def milliseconds(work: Callable[[], object], times: int = 1) -> float:
    """The median time of `times` runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(1000 * statistics.median(seconds), 3)
