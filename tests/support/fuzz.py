"""`make fuzz`: broken files of every format, and token files, against the real child process.

Each must be read, or refused in a sentence: no child may die of it, and nothing may take longer than its limit. What a
reader did not expect, such as a TypeError, kills the child. Files that fail, or reach a limit, are kept.
"""

import argparse
import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from spring.data.sandbox.files import checked, document
from spring.data.sandbox.parent import DAMAGED, TOO_BIG, TOO_SLOW, FileRefused, Sandbox, SandboxError
from spring.errors import TokenFileError
from spring.rag.bm25 import Bm25Retriever
from spring.settings import READING_LIMITS
from tests.support.broken_files import FORMATS, broken_token_file, files, seeds, whole_token_files

LIMITS = replace(READING_LIMITS, upload_seconds=86_400.0)  # a day
GRACE = 3.0  # seconds beyond a limit that killing a child may take
OUTCOMES = ("read", "refused", "too slow", "too big", "died", "hung", "no sentence")
FAILURES = ("died", "hung", "no sentence")
FINE = ("read", "refused")
SENTENCE = re.compile(r"[\w].{8,1000}[\w)\"'.]")


def is_sentence(text: str) -> bool:
    """Whether a message may be shown: one line of words, not a bare exception."""
    return text.isprintable() and SENTENCE.fullmatch(text) is not None and not re.match(r"\w*(Error|Exception)\b", text)


def judge(work: Callable[[], object], limit: float) -> str:
    """What became of a file."""
    started = time.monotonic()
    try:
        work()
        outcome = "read"
    except (FileRefused, TokenFileError) as error:
        outcome = "refused" if is_sentence(str(error)) else "no sentence"
        for reason, failure in ((TOO_SLOW, "too slow"), (TOO_BIG, "too big"), (DAMAGED, "died")):
            if isinstance(error, TokenFileError) and reason in str(error):
                outcome = failure
    except SandboxError as error:
        outcome = {TOO_SLOW: "too slow", TOO_BIG: "too big"}.get(str(error), "died")
    return "hung" if time.monotonic() - started > limit + GRACE else outcome


def examples(count: int, number: int, strategy: st.SearchStrategy[bytes], use: Callable[[bytes], None]) -> None:
    """Let Hypothesis draw."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(data: bytes) -> None:
        use(data)

    run()


def child() -> Sandbox:
    """What reads documents; it starts with the first, and again after one of which it died."""
    return Sandbox("spring.data.sandbox.jobs:document_job", LIMITS)


class Fuzzer:
    """Counts what becomes of files, and keeps those that fail."""

    def __init__(self, number: int, kept: Path) -> None:
        self.number, self.kept = number, kept
        self.counts: dict[str, Counter[str]] = {}

    def _note(self, kind: str, outcome: str, data: bytes, suffix: str) -> None:
        counts = self.counts.setdefault(kind, Counter())
        counts[outcome] += 1
        if outcome not in FINE:
            self.kept.mkdir(parents=True, exist_ok=True)
            (self.kept / f"{outcome.replace(' ', '-')}-{self.number}-{counts[outcome]}{suffix}").write_bytes(data)

    def documents(self, suffix: str, count: int, child: Sandbox) -> None:
        """A good file of a format, then broken ones, through one child as long as it lives, and the server's part."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"

            def read() -> None:
                answer = child.ask({"path": str(path), "name": path.name, "characters": LIMITS.characters})
                _, passages = checked(document, path.name, answer)
                Bm25Retriever(passages).search("the lamp burns", 3)

            def use(data: bytes) -> None:
                path.write_bytes(data)
                self._note(suffix, judge(read, LIMITS.file_seconds), data, suffix)

            use(seeds(suffix)[0])
            examples(count - 1, self.number, files(suffix), use)

    def token_files(self, count: int) -> None:
        """Token files, through all that the command line does with them."""
        from spring.models.token_files import PT_LIMITS  # with torch, which takes a second
        from spring.models.virtual_tokens import VirtualTokens

        with tempfile.TemporaryDirectory() as folder:
            whole = [*whole_token_files(Path(folder))]

            def use(data: bytes) -> None:
                suffix, content = broken_token_file(whole, int.from_bytes(data, "little"))
                path = Path(folder) / f"file{suffix}"
                path.write_bytes(content)
                outcome = judge(lambda: VirtualTokens.load(path, "tiny"), PT_LIMITS.file_seconds)
                self._note("tokens", outcome, content, suffix)

            examples(count, self.number, st.binary(min_size=8, max_size=8), use)

    @property
    def failures(self) -> int:
        return sum(counts[outcome] for counts in self.counts.values() for outcome in FAILURES)


def main() -> int:
    """Fuzz, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2_000, help="of each format")
    parser.add_argument("--tokens", type=int, default=1_000, help="token files")
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated")
    options = parser.parse_args()
    number = secrets.randbelow(2**32) if options.seed is None else options.seed
    fuzzer = Fuzzer(number, Path("runs/fuzz"))
    print(f"seed {number}; files that fail are kept in {fuzzer.kept}", flush=True)
    for kind in (*options.formats, "tokens"):
        started = time.monotonic()
        if kind == "tokens":
            fuzzer.token_files(options.tokens)
        else:
            with child() as reader:
                fuzzer.documents(kind, options.files, reader)
        counts = fuzzer.counts.get(kind, Counter())
        row = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
        print(f"{kind}: {counts.total()} files in {time.monotonic() - started:.0f} s: {row}", flush=True)
    print(f"failures: {fuzzer.failures}")
    return 1 if fuzzer.failures else 0


if __name__ == "__main__":
    sys.exit(main())
