"""A served model against the same requests sent to its server directly, and against the engine in this process.

    spring export --output runs/exported
    ... start vLLM on it, see runs/exported/README.md ...
    SPRING_ENGINE_URL=http://127.0.0.1:8000/v1 SPRING_BACKBONE=runs/exported python app.py
    python -m benchmarks.served --url http://127.0.0.1:8000/v1 --backbone runs/exported --page http://127.0.0.1:7860/

Sample questions with three passages, k = 0 and 50, greedy. Each question is asked once before, so that the server's
prefix cache is equally warm for all ways, and the ways take turns. The local engine runs alone, at the end.
"""

import argparse
import asyncio
import json
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.visitor import Visitor
from spring.data.questions import Question
from spring.evaluation.runner import evaluate
from spring.generation.comparison import ComparisonSettings, compare, lay_out
from spring.generation.engine import load_engine
from spring.generation.interface import Engine
from spring.generation.openai.engine import OpenAiEngine
from spring.generation.types import DecodingOptions
from spring.rag.library import load_samples
from spring.rag.retriever import Retriever

NEW_TOKENS = 32
SETTINGS = ComparisonSettings((0, 50), 3, (), DecodingOptions(NEW_TOKENS))
VISITORS = (1, 8, 32)
SAMPLE = "Orlo station"


@dataclass(frozen=True)
class Work:
    """What is asked, and where it is found."""

    name: str  # of the collection on the page
    questions: Sequence[Question]
    retriever: Retriever


def two_answers(engine: Engine, work: Work, question: str) -> float:
    """Seconds until both answers are there."""
    started = time.perf_counter()
    for _ in compare(engine, work.retriever, question, SETTINGS):
        pass
    return time.perf_counter() - started


def directly(engine: OpenAiEngine, work: Work, question: str) -> float:
    """The same two requests sent to the server; its bytes are received, and not looked at."""
    hits = work.retriever.search(question, SETTINGS.passages)
    requests = lay_out(engine, question, hits, SETTINGS).requests
    bodies = [engine.body(engine.ids_of(request), SETTINGS.decoding, 0) | {"stream": True} for request in requests]

    async def receive(body: dict[str, object]) -> None:
        async with engine.server.client.stream("POST", f"{engine.server.url}/completions", json=body) as response:
            async for _ in response.raise_for_status().aiter_raw():
                pass

    async def both() -> None:
        await asyncio.gather(*map(receive, bodies))

    started = time.perf_counter()
    engine.loop.start(both()).result()
    return time.perf_counter() - started


def on_the_page(url: str, work: Work, question: str) -> float:
    """Seconds from the click to the last state of a page that a visitor has open."""

    async def click() -> float:
        async with Visitor(url) as visitor:
            started = time.perf_counter()
            await visitor.answer(question, name=work.name, tokens=NEW_TOKENS, baseline="none")
            return time.perf_counter() - started

    return asyncio.run(click())


def crowd(engine: Engine, work: Work, visitors: int, at_once: int) -> dict[str, float]:
    """Visitors who all ask at the same moment, one question each; `at_once` comparisons run, as the page lets them."""
    places, first = threading.Semaphore(at_once), [0.0] * visitors
    started = time.perf_counter()

    def visit(number: int) -> None:
        question = work.questions[number % len(work.questions)].question
        with places:
            for comparison in compare(engine, work.retriever, question, SETTINGS):
                if not first[number] and any(answer.new_tokens for answer in comparison.answers):
                    first[number] = time.perf_counter() - started

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    minutes = (time.perf_counter() - started) / 60
    return {
        "answers_a_minute": round(2 * visitors / minutes, 1),
        "first_token_median_seconds": round(statistics.median(first), 2),
        "first_token_last_seconds": round(max(first), 2),
    }


def rate(engine: Engine, work: Work) -> float:
    """Questions of an evaluation a second, two answers each."""
    started = time.perf_counter()
    for _ in evaluate(engine, work.questions, work.retriever, SETTINGS):
        pass
    return round(len(work.questions) / (time.perf_counter() - started), 2)


def measure(url: str, backbone: Path, page: str, work: Work, precisions: Sequence[str]) -> dict[str, object]:
    """All figures."""
    seconds: dict[str, list[float]] = {}
    found: dict[str, object] = {}
    with closing(OpenAiEngine(backbone, url)) as served:
        for question in (it.question for it in work.questions):
            two_answers(served, work, question)  # warms the prefix cache
            ways: dict[str, Callable[[], float]] = {
                "direct": lambda question=question: directly(served, work, question),  # type: ignore[misc]
                "engine": lambda question=question: two_answers(served, work, question),  # type: ignore[misc]
            }
            if page:
                ways["page"] = lambda question=question: on_the_page(page, work, question)  # type: ignore[misc]
            for name, way in ways.items():
                seconds.setdefault(name, []).append(way())
        for name, took in seconds.items():
            found[f"{name}_seconds"] = round(statistics.median(took), 3)
            ratios = [one / direct for one, direct in zip(took, seconds["direct"], strict=True)]
            found[f"{name}_to_direct"] = round(statistics.median(ratios), 3)
        found["served"] = {str(n): crowd(served, work, n, 16) for n in VISITORS}
        found["served_evaluation_questions_a_second"] = rate(served, work)
    for precision in precisions:
        local = load_engine(precision=precision)
        two_answers(local, work, work.questions[0].question)
        took = [two_answers(local, work, question.question) for question in work.questions]
        found[f"local_{precision}_seconds"] = round(statistics.median(took), 3)
        found[f"local_{precision}"] = {str(n): crowd(local, work, n, 1) for n in VISITORS}
        found[f"local_{precision}_evaluation_questions_a_second"] = rate(local, work)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of the server")
    parser.add_argument("--backbone", required=True, type=Path, help="the exported folder")
    parser.add_argument("--page", default="", help="of a page that asks that server")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--precision", nargs="*", default=["fp32"], help="of the local engine, measured alone")
    options = parser.parse_args()
    sample = next(library for library in load_samples() if library.name == SAMPLE)
    work = Work(sample.name, sample.questions[: options.questions], sample.retriever)
    found = measure(options.url, options.backbone, options.page, work, options.precision)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
