"""Drawing and encoding the samples of a training run, and how long steps wait for them; one run.

    python -m benchmarks.samples [--json] [--step 0.5]

Milliseconds a sample of three k over a sample collection: `each_k`, its prompt encoded twice for each k, as the first
version did; `new`, ours; `again`, ours where the prompt was encoded before. `waited` is the share of the time that
steps of 64 such samples, all of them new, wait for them: drawn in turns with the step, and drawn ahead. A card is stood
in for by `--step` seconds of sleep, in which the processor is free.
"""

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

from benchmarks.side_by_side import timed
from spring.data.collection import read_collection
from spring.data.questions import read_questions
from spring.models.loader import load_backbone
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import build_prompt
from spring.training.batches import Batches
from spring.training.examples import Examples, SampleSettings
from spring.training.settings import TrainingSettings

COLLECTION = Path(__file__).parent.parent / "corpora" / "everyday-inventions"
SAMPLES, STEPS, RUNS = 64, 6, 5
SETTINGS = TrainingSettings(batch_size=8, gradient_accumulation=8)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--step", type=float, default=0.5, metavar="SECONDS", help="of a step (default 0.5)")
    options = parser.parse_args()
    backbone = load_backbone(precision="fp32")
    questions = read_questions(COLLECTION / "questions.jsonl").questions
    retriever = Bm25Retriever(read_collection([COLLECTION / "documents"]).passages)

    def examples() -> Examples:
        return Examples(backbone, questions, retriever, settings=SampleSettings(shared_k=3, draws=1))

    def each_k(drawn: Examples) -> None:
        for number in range(len(questions)):
            question = drawn.question(number)
            prompt = build_prompt(drawn.passages(number), question.question)
            for _ in range(drawn.settings.shared_k):
                backbone.encode_answer(prompt, question.golden_answers[0])

    def ours(drawn: Examples) -> None:
        for number in range(len(questions)):
            drawn[number]

    seconds: dict[str, list[float]] = {"each_k": [], "new": [], "again": []}
    for run in range(RUNS + 1):  # the first is a warm-up
        drawn = examples()
        took = {"each_k": timed(partial(each_k, drawn)), "new": timed(partial(ours, drawn))}
        took["again"] = timed(partial(ours, drawn))
        for key, value in took.items() if run else ():
            seconds[key].append(value)
    figures: dict[str, object] = {
        key: round(statistics.median(values) * 1e3 / len(questions), 3) for key, values in seconds.items()
    }
    figures["new_over_each_k"] = round(statistics.median(seconds["new"]) / statistics.median(seconds["each_k"]), 3)
    for name, ahead in (("in turns", False), ("ahead", True)):
        many = tuple(questions) * (SAMPLES * STEPS // len(questions) + 1)
        drawn = Examples(backbone, many, retriever, settings=SampleSettings(shared_k=3))
        drawn._encoder.most_kept = 0  # every prompt is new
        batches = Batches(drawn, SETTINGS, (0, STEPS), ahead=ahead)
        started = time.perf_counter()
        for _ in batches:
            time.sleep(options.step / SETTINGS.gradient_accumulation)
        figures[f"waited, {name}"] = round(batches.waited / (time.perf_counter() - started), 3)
    print(json.dumps(figures) if options.json else "\n".join(f"{key}: {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
