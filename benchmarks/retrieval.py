"""Index and query times of BM25: ours, rank-bm25's BM25Okapi and bm25s, on the same synthetic passages.

`python -m benchmarks.retrieval [--json]`. Passages of about 100 words, drawn from 50,000 words by Zipf's law
with a fixed seed; questions of 8 words, drawn from the passages. All three index the same lists of terms, so
that cutting the text into terms is timed by itself. Medians, in milliseconds.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import bm25s
import numpy as np
from rank_bm25 import BM25Okapi

from spring.data.types import Passage
from spring.rag import bm25 as retrieval
from spring.rag.terms import tokenize

SIZES = (1_000, 10_000, 50_000)
VOCABULARY = 50_000
QUESTIONS = 10
BEST = 5


def synthetic_passages(size: int, seed: int = 0) -> list[Passage]:
    """Passages of 60 to 130 words w0, w1, ..., the n-th word as often as 1 / n."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    lengths = generator.integers(60, 131, size)
    words = generator.choice(VOCABULARY, lengths.sum(), p=weights / weights.sum())
    texts = (" ".join(f"w{word}" for word in part) for part in np.split(words, lengths.cumsum()[:-1]))
    return [Passage("synthetic.txt", 1, index, text) for index, text in enumerate(texts)]


def milliseconds(work: Callable[[], object], times: int = 1) -> float:
    """The median time of `times` runs."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return round(1000 * statistics.median(seconds), 3)


def median_query(search: Callable[[list[str]], object], questions: list[list[str]]) -> float:
    """The median over the questions, each the median of 3 runs."""
    return round(statistics.median(milliseconds(partial(search, q), times=3) for q in questions), 3)


def measure(size: int) -> dict[str, float]:
    """Times for an index of `size` passages."""
    passages = synthetic_passages(size)
    tokens = [tokenize(passage.text) for passage in passages]
    generator = np.random.default_rng(1)
    chosen = generator.choice(size, QUESTIONS, replace=False)
    questions = [generator.choice(tokens[i], 8).tolist() for i in chosen]
    figures: dict[str, float] = {"passages": size}
    figures["terms ms"] = milliseconds(lambda: [tokenize(passage.text) for passage in passages])

    ours, okapi, theirs = retrieval.Bm25Retriever(passages), BM25Okapi(tokens), bm25s.BM25(method="lucene")
    figures["index ours ms"] = milliseconds(lambda: ours._index(retrieval._LuceneOkapi(tokens)), times=3)
    figures["index rank-bm25 ms"] = milliseconds(lambda: BM25Okapi(tokens), times=3)
    figures["index bm25s ms"] = milliseconds(lambda: theirs.index(tokens, show_progress=False), times=3)

    figures["query ours ms"] = median_query(lambda q: ours.search(" ".join(q), BEST), questions)
    figures["query rank-bm25 ms"] = median_query(lambda q: okapi.get_top_n(q, passages, BEST), questions)
    figures["query bm25s ms"] = median_query(lambda q: theirs.retrieve([q], k=BEST, show_progress=False), questions)
    return figures


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures = [measure(size) for size in SIZES]
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name in figures[0]:
        print(f"{name:20}" + "".join(f"{row[name]:>14,.10g}" for row in figures))


if __name__ == "__main__":
    main()
