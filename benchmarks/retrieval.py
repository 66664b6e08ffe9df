"""How well and how fast passages are found.

`python -m benchmarks.retrieval` times BM25 in memory: ours, rank-bm25's BM25Okapi and bm25s, on the same synthetic
passages. They have about 100 words, drawn from 50,000 by Zipf's law with a fixed seed; questions have 8 words, drawn
from a passage. All three index the same lists of terms, so that cutting the text into terms is timed by itself. The
figures are medians, in milliseconds.

`--xquad FOLDER` (with xquad.en.json and so on, https://github.com/google-deepmind/xquad) counts how often the right one
of 240 paragraphs comes first, and among the first three: by words alone, without case and accents, and by our terms.

`--passages N --synthetic` indexes N synthetic passages on disk and asks 200 questions: seconds on the clock and of the
processors, the peak of the processes' memory (proportional set size), size on disk, times of a query, and of how many
questions the first three are those that all candidates, scored with all terms, would give.

`--agreement FOLDER` (with corpus.jsonl and dev.jsonl) compares the index on disk with the one in memory: of how many
questions the first three are the same, and how often the right passage is among them.

`--memory FILE` reads a file and indexes it as the page does an upload: the memory that the page counts for it, and what
is given back when it is dropped (tracemalloc), in MiB.
"""

import argparse
import gc
import json
import statistics
import tempfile
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bm25s
import numpy as np
from rank_bm25 import BM25Okapi

from benchmarks.disk_index import agreement, on_disk
from benchmarks.synthetic import milliseconds, synthetic_passages
from spring.data.sandbox.files import parse_collection
from spring.data.types import Passage
from spring.rag import bm25 as retrieval
from spring.rag.library import Library
from spring.rag.terms import tokenize
from spring.rag.words import fold, words_of

SIZES = (1_000, 10_000, 50_000)
QUESTIONS = 10
BEST = 5


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


def reach(path: Path) -> dict[str, float | str]:
    """Questions of a language whose paragraph is found first, and among the first three, in per cent."""
    paragraphs, asked = list[str](), list[tuple[str, int]]()
    for article in json.loads(path.read_bytes())["data"]:
        for paragraph in article["paragraphs"]:
            asked += [(question["question"], len(paragraphs)) for question in paragraph["qas"]]
            paragraphs.append(paragraph["context"])
    ours = retrieval.Bm25Retriever([Passage(path.name, 1, i, text) for i, text in enumerate(paragraphs)])
    words = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    words.index([[fold(word) for word in words_of(text)] for text in paragraphs], show_progress=False)
    ranks = {"words": list[list[int]](), "terms": list[list[int]]()}
    for question, _ in asked:
        scores = words.get_scores([fold(word) for word in words_of(question)])
        ranks["words"].append(np.argsort(-scores, kind="stable")[:3].tolist())
        ranks["terms"].append([hit.passage.index for hit in ours.search(question, 3)])
    row: dict[str, float | str] = {"language": path.suffixes[0].lstrip(".")}
    for name, found in ranks.items():
        pairs = [(best, right) for best, (_, right) in zip(found, asked, strict=True)]
        row[f"{name} first"] = round(100 * sum(best[:1] == [right] for best, right in pairs) / len(pairs), 1)
        row[f"{name} in 3"] = round(100 * sum(right in best for best, right in pairs) / len(pairs), 1)
    return row


def memory(path: Path) -> dict[str, float]:
    """Estimate and measure what one visitor's documents take, in MiB; the caches that all share do not count."""
    tracemalloc.start()
    library = Library.build(path.name, parse_collection([path]))
    gc.collect()
    held, peak = tracemalloc.get_traced_memory()
    passages, counted = len(library.collection.passages), library.nbytes
    del library
    gc.collect()
    freed = held - tracemalloc.get_traced_memory()[0]
    sizes = {"counted MiB": counted, "held MiB": freed, "peak of indexing MiB": peak}
    return {"passages": passages} | {name: round(size / 2**20, 1) for name, size in sizes.items()}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--xquad", type=Path, metavar="FOLDER", help="word forms in twelve languages")
    parser.add_argument("--passages", type=int, metavar="N", help="with --synthetic: an index on disk of so many")
    parser.add_argument("--synthetic", action="store_true", help="drawn passages")
    parser.add_argument("--agreement", type=Path, metavar="FOLDER", help="the index on disk and the one in memory")
    parser.add_argument("--memory", type=Path, metavar="FILE", help="the memory that a visitor's documents take")
    arguments = parser.parse_args()
    figures: list[dict[str, float | str]] | list[dict[str, float]]
    if arguments.xquad:
        figures = [reach(path) for path in sorted(arguments.xquad.glob("xquad.*.json"))]
    elif arguments.agreement:
        figures = [agreement(arguments.agreement)]
    elif arguments.memory:
        figures = [memory(arguments.memory)]
    elif arguments.passages and arguments.synthetic:
        with tempfile.TemporaryDirectory() as folder:
            figures = [on_disk(arguments.passages, Path(folder))]
    elif arguments.passages or arguments.synthetic:
        parser.error("--passages N and --synthetic go together")
    else:
        figures = [measure(size) for size in SIZES]
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name in figures[0]:
        cells = [row[name] for row in figures]
        width = 14 if len(cells) <= len(SIZES) else 7
        print(f"{name:20}" + "".join(f"{c:>{width}}" if isinstance(c, str) else f"{c:>{width},.10g}" for c in cells))


if __name__ == "__main__":
    main()
