"""Figures of an index on disk, for `benchmarks.retrieval`: size and speed of a large one, and agreement with memory."""

import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from benchmarks.synthetic import milliseconds, synthetic_passages, synthetic_rows
from spring.data.collection import read_collection
from spring.data.questions import read_questions
from spring.rag import index as disk
from spring.rag.bm25 import Bm25Retriever
from spring.rag.index import IndexRetriever
from spring.rag.index_build import build_index

BEST = 3


def on_disk(size: int, folder: Path) -> dict[str, float]:
    """Figures of an index of `size` passages, built by the command line."""
    rows, output = folder / "rows.jsonl", folder / "index"
    with rows.open("wb") as file:
        file.writelines(synthetic_rows(size))
    start = time.perf_counter()
    command = [sys.executable, "-m", "spring", "index", str(rows), "--output", str(output)]
    build = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, processors = _peak_and_processor_seconds(build)
    if build.returncode:
        sys.exit(f"`spring index` ended with {build.returncode}.")
    seconds = time.perf_counter() - start
    figures: dict[str, float] = {
        "passages": size,
        "rows MB": round(rows.stat().st_size / 1e6),
        "index MB": round(sum(file.stat().st_size for file in output.rglob("*") if file.is_file()) / 1e6),
        "build s": round(seconds, 1),
        "processor s": round(processors, 1),
        "peak MB": round(peak / 1e6),
    }
    retriever, generator = IndexRetriever(output), np.random.default_rng(1)
    texts = [passage.text.split() for passage in synthetic_passages(1_000)]
    questions = [" ".join(generator.choice(texts[i], 8)) for i in generator.choice(len(texts), 200)]
    times = list[float]()
    cpu = 0.0
    for _ in range(2):  # the first time reads the files from disk
        begun = time.process_time()
        times = sorted(milliseconds(partial(retriever.search, question, BEST)) for question in questions)
        cpu = time.process_time() - begun
    figures |= {
        "query processor ms": round(1000 * cpu / len(questions), 3),
        "query median ms": times[len(times) // 2],
        "query p95 ms": times[int(0.95 * len(times))],
    }
    found = [retriever.search(question, BEST) for question in questions]
    disk.POSTINGS, disk.CANDIDATES = 10**12, 1_000
    same = sum(retriever.search(question, BEST) == hits for question, hits in zip(questions, found, strict=True))
    return figures | {"same first 3 of 200": same}


def _peak_and_processor_seconds(process: "subprocess.Popen[bytes]") -> tuple[int, float]:
    """Wait for a process and look at it and its children 5 times a second.

    Returns:
        The most bytes that they had together, and their seconds of processor time until the last look.

    """
    peak, seconds = 0, dict[int, float]()
    while process.poll() is None:
        now = 0
        try:
            parent = psutil.Process(process.pid)
            for each in [parent, *parent.children(recursive=True)]:
                now += each.memory_full_info().pss
                seconds[each.pid] = sum(each.cpu_times()[:2])
        except psutil.NoSuchProcess:
            pass
        peak = max(peak, now)
        time.sleep(0.2)
    return peak, sum(seconds.values())


def agreement(folder: Path) -> dict[str, float]:
    """Compare an index on disk with one in memory.

    folder: with corpus.jsonl and dev.jsonl, whose rows name the corpus row with the answer.
    """
    memory = Bm25Retriever(read_collection([folder / "corpus.jsonl"]).passages)
    questions = read_questions(folder / "dev.jsonl").questions
    with tempfile.TemporaryDirectory() as output:
        build_index([folder / "corpus.jsonl"], Path(output))
        on_disk = IndexRetriever(Path(output))
        same, right = 0, {"memory": 0, "disk": 0}
        for question in questions:
            found = {"memory": memory.search(question.question, BEST), "disk": on_disk.search(question.question, BEST)}
            first, second = ([(hit.passage.id, hit.passage.text) for hit in hits] for hits in found.values())
            same += first == second
            for name, hits in found.items():
                right[name] += any(hit.passage.id == question.gold_passage for hit in hits)
    figures: dict[str, float] = {"passages": len(memory.passages), "questions": len(questions), "same first 3": same}
    return figures | {f"right in 3, {name}": round(count / len(questions), 3) for name, count in right.items()}
