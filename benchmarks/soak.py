"""Many visitors at random for a while: whether every answer is whole, its own visitor's, and what it is alone.

    python -m benchmarks.soak --url http://127.0.0.1:7860/ --pid PID [--seconds 300] [--visitors 50] [--json]

Each visitor has a document with a secret word of its own, and asks, stops, leaves in the middle of an answer, and
uploads, at random; who finds the queue full comes back some seconds later. Before the time begins, everybody has
been answered once, and afterwards every question that was answered is asked once more with nobody else there. PID
is the server's, whose memory, threads and handles are looked at, its model's process included.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.visitor import Visitor, answers_of, text_of

QUESTION = "What is the secret word of keeper {}?"
REFUSED = ("visitors are waiting already", "is waiting already")
AWAY = (2.0, 8.0)  # seconds until a visitor who found the queue full tries again
WARM_UP = 1 / 3  # of the time
MOST_GROWTH = {"memory_mb_per_minute": 1.0, "more_threads": 5, "more_handles": 10}
JUDGED_FROM = 240  # seconds: a shorter run tells its growth, but is no judge of it


class Sample(NamedTuple):
    """What the server and its model's process hold."""

    seconds: float  # since the start
    memory: int  # resident bytes of the server
    model_memory: int
    threads: int
    handles: int


def is_refused(said: str) -> bool:
    """Whether there was no place in the queue."""
    return any(words in said for words in REFUSED)


class Soak:
    """What happened, counted."""

    def __init__(self, url: str, folder: Path, tokens: int, seed: int, enough: int = 0) -> None:
        self.url, self.folder, self.tokens, self.seed = url, folder, tokens, seed
        self.enough = enough  # answers after which the run ends; 0: when the time is over
        self.counts: Counter[str] = Counter()
        self.answers: dict[int, set[tuple[str, ...]]] = {}
        self.problems: list[str] = []

    def secret(self, number: int) -> str:
        """The word of a visitor; no other's contains it."""
        return f"zq{number:03d}x"

    def over(self, until: float) -> bool:
        """Whether the time has passed, or there are enough answers."""
        return time.monotonic() >= until or 0 < self.enough <= self.counts["answered"]

    async def visit(self, number: int, until: float) -> None:
        """One visitor, again and again, until the run is over."""
        choose = random.Random(self.seed * 1000 + number)
        while not self.over(until):
            self.counts["sessions"] += 1
            async with self.visitor(number) as visitor:
                if not await self.upload(visitor, number, choose, until):
                    return
                for _ in range(choose.randint(1, 6)):
                    await asyncio.sleep(choose.random())
                    if self.over(until) or not await self.act(visitor, number, choose):
                        break

    def visitor(self, number: int) -> Visitor:
        """With an address of its own."""
        return Visitor(self.url, f"198.51.{number // 200}.{number % 200 + 1}")

    def file(self, number: int) -> Path:
        """A visitor's document."""
        path = self.folder / f"keeper{number}.txt"
        path.write_text(f"The secret word of keeper {number} is {self.secret(number)}.")
        return path

    async def upload(self, visitor: Visitor, number: int, choose: random.Random, until: float) -> bool:
        """Upload the document, as soon as there is a place in the queue; False if there is none in time."""
        file = self.file(number)
        while is_refused(line := await visitor.add_documents(file)):
            self.counts["refused uploads"] += 1
            if self.over(until):
                return False
            await asyncio.sleep(choose.uniform(*AWAY))
        if line != f"{file.name}: 1 page, 1 passage":
            self.problems.append(f"upload of {number}: {line}")
        return True

    async def act(self, visitor: Visitor, number: int, choose: random.Random) -> bool:
        """Ask; then wait (most often), stop, or leave. Whether the visitor stays."""
        chance = choose.random()
        status, cards, passages, shots = "", "", "", 0
        stopped = False
        async for status, cards, passages in visitor.ask(QUESTION.format(number), tokens=self.tokens):  # noqa: B007
            shots += "first token" in cards
            if shots and chance < 0.1:
                self.counts["left"] += 1
                return False
            if shots and chance < 0.3 and not stopped:
                await visitor.stop()
                stopped = True
        said = text_of(status)
        others = [n for n in range(500) if n != number and self.secret(n) in passages + cards]
        if others:
            self.problems.append(f"{number} saw the words of {others}")
        if is_refused(said):
            self.counts["refused"] += 1
            await asyncio.sleep(choose.uniform(*AWAY))
        elif stopped:
            self.counts["stopped"] += 1
        elif self.secret(number) not in passages or "passage tokens" not in said:
            self.problems.append(f"{number} was not answered: {said}")
        else:
            self.counts["answered"] += 1
            self.answers.setdefault(number, set()).add(tuple(answers_of(cards)))
        return True

    async def everybody_once(self, visitors: int) -> None:
        """Wait for the model, which is loaded while the page is served already; then for all that is kept."""
        for number in range(visitors):
            async with self.visitor(number) as visitor:
                await visitor.add_documents(self.file(number))
                status, answers, _ = await visitor.answer(QUESTION.format(number), tokens=self.tokens)
            if not any(answers):
                raise SystemExit(f"The page did not answer visitor {number}: {status}")

    async def check_alone(self) -> None:
        """Ask every question that was answered once more, one at a time."""
        for number, under_load in sorted(self.answers.items()):
            async with self.visitor(number) as visitor:
                await visitor.add_documents(self.file(number))
                _, alone, _ = await visitor.answer(QUESTION.format(number), tokens=self.tokens)
            if under_load != {tuple(alone)}:
                self.problems.append(f"{number}: {under_load} under load, {alone} alone")


async def watch(pid: int, run: Soak, until: float, samples: list[Sample]) -> None:
    """Look at the server and its model every second, often enough for two halves of a run."""
    server = psutil.Process(pid)
    started = time.monotonic()
    while len(samples) < 6 or not run.over(until):
        model = next(child for child in server.children() if "spring.generation.subprocess.server" in child.cmdline())
        both = (server, model)
        memory, model_memory = (process.memory_info().rss for process in both)
        threads, handles = (
            sum(numbers) for numbers in zip(*((p.num_threads(), p.num_fds()) for p in both), strict=True)
        )
        samples.append(Sample(time.monotonic() - started, memory, model_memory, threads, handles))
        await asyncio.sleep(1)


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """After the warm-up: memory a minute by least squares, threads and handles from the first to the second half."""
    late = np.array([sample for sample in samples if sample.seconds >= samples[-1].seconds * WARM_UP], dtype=float)
    seconds, server, model, *_ = late.T
    first, second = (np.median(half, axis=0) for half in np.array_split(late, 2))
    return {
        "memory_mb_per_minute": round(float(np.polyfit(seconds / 60, (server + model) / 2**20, 1)[0]), 2),
        "more_threads": float(second[3] - first[3]),
        "more_handles": float(second[4] - first[4]),
    }


async def soak(
    url: str, pid: int, seconds: float, visitors: int, tokens: int = 8, seed: int = 0, answers: int = 0
) -> dict[str, object]:
    """Run for so many seconds, or until so many answers if they are given, and return the figures."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder:
        run = Soak(url, Path(folder), tokens, seed, answers)
        await run.everybody_once(visitors)
        until = time.monotonic() + seconds
        await asyncio.gather(watch(pid, run, until, samples), *(run.visit(number, until) for number in range(visitors)))
        await run.check_alone()
    grown = growth(samples)
    if not answers and seconds >= JUDGED_FROM:
        run.problems += [f"{name}: {grown[name]}" for name, most in MOST_GROWTH.items() if grown[name] > most]
    thirds = [samples[(len(samples) - 1) * third // 3] for third in range(4)]  # from the first sample to the last
    last = thirds[-1]
    return {
        "seconds": seconds,
        "visitors": visitors,
        **run.counts,
        "compared_alone": len(run.answers),
        "problems": run.problems[:20],
        **grown,
        "memory_mb": [round(sample.memory / 2**20) for sample in thirds],
        "model_mb": [round(sample.model_memory / 2**20) for sample in thirds],
        "threads": last.threads,
        "handles": last.handles,
    }


def main() -> int:
    """Measure and print; 1 if an answer was lost, mixed or truncated, or memory, threads or handles grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:7860/")
    parser.add_argument("--pid", type=int, required=True, help="of the server, `python app.py`")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=8, help="of the longest answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = asyncio.run(
        soak(options.url, options.pid, options.seconds, options.visitors, options.tokens, options.seed)
    )
    print(json.dumps(figures) if options.json else "\n".join(f"{key}: {value}" for key, value in figures.items()))
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
