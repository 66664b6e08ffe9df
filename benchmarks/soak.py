"""Many visitors at random for a while: whether every answer is whole, its own visitor's, and what it is alone.

    python -m benchmarks.soak --url http://127.0.0.1:7860/ --pid PID [--seconds 300] [--visitors 50] [--json]

Each visitor has a document with a secret word of its own, and asks, stops, leaves in the middle of an answer, and
uploads, at random. Afterwards every question that was answered is asked once more with nobody else there. PID is
the server's, whose memory, threads and handles are looked at, its model's process included.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from benchmarks.visitor import Visitor, answers_of, text_of

QUESTION = "What is the secret word of keeper {}?"
REFUSED = ("visitors are waiting already", "is waiting already")
WARM_UP = 1 / 3  # of the time


class Soak:
    """What happened, counted."""

    def __init__(self, url: str, folder: Path, tokens: int, seed: int) -> None:
        self.url, self.folder, self.tokens, self.seed = url, folder, tokens, seed
        self.counts: Counter[str] = Counter()
        self.answers: dict[int, set[tuple[str, ...]]] = {}
        self.problems: list[str] = []

    def secret(self, number: int) -> str:
        """The word of a visitor; no other's contains it."""
        return f"zq{number:03d}x"

    async def visit(self, number: int, until: float) -> None:
        """One visitor, again and again, until the time is over."""
        choose = random.Random(self.seed * 1000 + number)
        file = self.folder / f"keeper{number}.txt"
        file.write_text(f"The secret word of keeper {number} is {self.secret(number)}.")
        while time.monotonic() < until:
            self.counts["sessions"] += 1
            async with Visitor(self.url, f"198.51.{number // 200}.{number % 200 + 1}") as visitor:
                line = await visitor.add_documents(file)
                if line != f"{file.name}: 1 page, 1 passage":
                    self.problems.append(f"upload of {number}: {line}")
                for _ in range(choose.randint(1, 6)):
                    await asyncio.sleep(choose.random())
                    if time.monotonic() >= until or not await self.act(visitor, number, choose.random()):
                        break

    async def act(self, visitor: Visitor, number: int, chance: float) -> bool:
        """Ask; then wait (most often), stop, or leave. Whether the visitor stays."""
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
        if any(words in said for words in REFUSED):
            self.counts["refused"] += 1
        elif stopped:
            self.counts["stopped"] += 1
        elif self.secret(number) not in passages or "passage tokens" not in said:
            self.problems.append(f"{number} was not answered: {said}")
        else:
            self.counts["answered"] += 1
            self.answers.setdefault(number, set()).add(tuple(answers_of(cards)))
        return True

    async def check_alone(self) -> None:
        """Ask every question that was answered once more, one at a time."""
        for number, under_load in sorted(self.answers.items()):
            file = self.folder / f"keeper{number}.txt"
            async with Visitor(self.url, "203.0.113.9") as visitor:
                await visitor.add_documents(file)
                _, alone, _ = await visitor.answer(QUESTION.format(number), tokens=self.tokens)
            if under_load != {tuple(alone)}:
                self.problems.append(f"{number}: {under_load} under load, {alone} alone")


async def watch(pid: int, until: float, samples: list[tuple[float, int, int, int]]) -> None:
    """Note time, resident bytes, threads and handles of the server and its model every second."""
    server = psutil.Process(pid)
    started = time.monotonic()
    while time.monotonic() < until:
        both = [server, *server.children()]
        memory = sum(process.memory_info().rss for process in both)
        threads = sum(process.num_threads() for process in both)
        samples.append((time.monotonic() - started, memory, threads, sum(process.num_fds() for process in both)))
        await asyncio.sleep(1)


def slope(samples: list[tuple[float, int, int, int]], column: int) -> float:
    """Growth a minute after the warm-up, by least squares."""
    late = np.array([sample for sample in samples if sample[0] >= samples[-1][0] * WARM_UP], dtype=float)
    return float(np.polyfit(late[:, 0] / 60, late[:, column], 1)[0])


async def soak(url: str, pid: int, seconds: float, visitors: int, tokens: int = 8, seed: int = 0) -> dict[str, object]:
    """Run it; the figures."""
    samples: list[tuple[float, int, int, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        run, until = Soak(url, Path(folder), tokens, seed), time.monotonic() + seconds
        await asyncio.gather(watch(pid, until, samples), *(run.visit(number, until) for number in range(visitors)))
        await run.check_alone()
    return {
        "seconds": seconds,
        "visitors": visitors,
        **run.counts,
        "compared_alone": len(run.answers),
        "problems": run.problems[:20],
        "memory_mb_per_minute": round(slope(samples, 1) / 2**20, 2),
        "memory_mb": round(samples[-1][1] / 2**20),
        "threads_per_minute": round(slope(samples, 2), 2),
        "handles_per_minute": round(slope(samples, 3), 2),
        "threads": samples[-1][2],
        "handles": samples[-1][3],
    }


def main() -> int:
    """Measure and print; 1 if an answer was lost, mixed or truncated."""
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
