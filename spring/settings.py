"""Settings of the page, from environment variables: what a Space's owner sets after Duplicate."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from spring.errors import SpringError

DEFAULT_BACKBONE = "smollm2-135m-instruct"
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Limits on uploaded files; those of time and memory apply to the child process that reads a file."""

    files: int = 50  # of one visitor
    bytes: int = 60 * MIB  # all files of one upload together
    cpu_seconds: int = 10  # processor time for one file
    file_seconds: float = 45  # on the clock for one file, as the model may be using the processor
    upload_seconds: float = 120  # on the clock for all files of one upload
    memory: int = 1024 * MIB  # address space, beyond what the interpreter takes by itself
    pages: int = 20_000  # of one PDF, or rows of one JSON Lines file
    characters: int = 10_000_000  # in the passages of one upload
    answer_bytes: int = 48 * MIB  # what the parent reads from the child for one file
    children: int = 2  # at once on this machine


READING_LIMITS = ReadingLimits()
LOCAL_LIMITS = ReadingLimits(  # the least of the user's own files, on the command line: see `sandbox.files`
    cpu_seconds=120,
    upload_seconds=10**9,
    pages=10**9,
    characters=10**12,
    answer_bytes=8 * 1024 * MIB,
)


@dataclass(frozen=True, slots=True)
class AppSettings:
    """One field for each variable; README has the same table."""

    backbone: str  # SPRING_BACKBONE: name of the table, hub id, either with @REVISION, or a folder
    tokens: str | None  # SPRING_TOKENS: a token file here, or OWNER/NAME/FILE[@REVISION] on the hub
    precision: str  # SPRING_PRECISION: auto, 4bit, 4bit-double, bf16 or fp32
    cache_megabytes: int  # SPRING_CACHE_MB: memory for passages that were read
    upload_megabytes: int  # SPRING_UPLOAD_MB: largest file that a visitor may upload
    answer_seconds: int  # SPRING_ANSWER_SECONDS: the longest that one answer on the page takes
    waiting: int  # SPRING_WAITING: most visitors who wait for an answer
    waiting_per_address: int  # SPRING_WAITING_PER_ADDRESS: most of them from one network address
    idle_minutes: int  # SPRING_IDLE_MINUTES: how long a visitor's documents are kept after their last use
    session_megabytes: int  # SPRING_SESSION_MB: memory for one visitor's documents; also the longest upload
    sessions_megabytes: int  # SPRING_SESSIONS_MB: memory for all visitors' documents
    evaluation_questions: int  # SPRING_EVALUATION_QUESTIONS: most questions of one run on the page
    evaluation_seconds: int  # SPRING_EVALUATION_SECONDS: the longest that one run on the page takes
    zero_gpu: bool = False  # SPACES_ZERO_GPU: Spaces sets it where a GPU is lent for one call at a time

    @property
    def limits(self) -> ReadingLimits:
        """Those of a visitor's uploads, which are at most three of the largest files at once."""
        return replace(READING_LIMITS, bytes=3 * self.upload_megabytes * MIB)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "AppSettings":
        """Read the variables that are set.

        Raises:
            SpringError: a number is none, or not above 0.

        """
        return cls(
            backbone=environment.get("SPRING_BACKBONE") or DEFAULT_BACKBONE,
            tokens=environment.get("SPRING_TOKENS") or None,
            precision=environment.get("SPRING_PRECISION") or "auto",
            cache_megabytes=_number(environment, "SPRING_CACHE_MB", 512),
            upload_megabytes=_number(environment, "SPRING_UPLOAD_MB", 20),
            answer_seconds=_number(environment, "SPRING_ANSWER_SECONDS", 120),
            waiting=_number(environment, "SPRING_WAITING", 32),
            waiting_per_address=_number(environment, "SPRING_WAITING_PER_ADDRESS", 1),
            idle_minutes=_number(environment, "SPRING_IDLE_MINUTES", 60),
            session_megabytes=_number(environment, "SPRING_SESSION_MB", 100),
            sessions_megabytes=_number(environment, "SPRING_SESSIONS_MB", 1000),
            evaluation_questions=_number(environment, "SPRING_EVALUATION_QUESTIONS", 50),
            evaluation_seconds=_number(environment, "SPRING_EVALUATION_SECONDS", 300),
            zero_gpu=environment.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"),  # as `spaces` reads it
        )


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise SpringError(f"{name} must be a whole number above 0, not {text!r}.")
    return int(text)
