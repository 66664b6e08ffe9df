"""Settings of the page from environment variables, and the limits on files that it reads."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from spring.errors import SpringError

DEFAULT_BACKBONE = "smollm2-135m-instruct"
MIB = 2**20
SERVED_AT_ONCE = 16
DecodeStep = Literal["auto", "eager", "static"]
# How often a thread of OpenMP's looks for work before it sleeps. Where another process wants the core, the library's
# own 300,000 times are milliseconds for each of the hundreds of products of a token; after 5,000 the threads slept
# between these on a quiet machine, and reading a question took a tenth longer.
SHORT_SPINS: Mapping[str, str] = MappingProxyType({"GOMP_SPINCOUNT": "20000"})


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


def _variable(name: str, default: Any) -> Any:
    """A field of AppSettings that the environment variable `name` sets."""
    return field(default=default, metadata={"variable": name})


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The page's settings: one line for each environment variable, explained in docs/environment.md."""

    backbone: str = _variable("SPRING_BACKBONE", DEFAULT_BACKBONE)  # known name or hub id (@REVISION), or a folder
    tokens: str | None = _variable("SPRING_TOKENS", None)  # a token file, or OWNER/NAME/FILE[@REVISION] on the hub
    precision: str = _variable("SPRING_PRECISION", "auto")  # or one of models.catalog.PRECISIONS
    engine_url: str = _variable("SPRING_ENGINE_URL", "")  # of a server that has the model; empty: it is loaded here
    engine_model: str = _variable("SPRING_ENGINE_MODEL", "")  # its name there; empty: the only one
    engine_key: str = field(default="", repr=False, metadata={"variable": "SPRING_ENGINE_KEY"})  # of that server
    at_once: int = _variable("SPRING_AT_ONCE", 0)  # comparisons at the same time; 0: as suits the engine
    cache_megabytes: int = _variable("SPRING_CACHE_MB", 512)  # for the keys and values of passages
    upload_megabytes: int = _variable("SPRING_UPLOAD_MB", 20)  # largest uploaded file
    answer_seconds: int = _variable("SPRING_ANSWER_SECONDS", 120)  # longest time of one request
    waiting: int = _variable("SPRING_WAITING", 32)  # most visitors in the request queue
    waiting_per_address: int = _variable("SPRING_WAITING_PER_ADDRESS", 1)  # most of them from one network address
    idle_minutes: int = _variable("SPRING_IDLE_MINUTES", 60)  # how long documents are kept after their last use
    session_megabytes: int = _variable("SPRING_SESSION_MB", 100)  # one visitor's documents; also the largest upload
    sessions_megabytes: int = _variable("SPRING_SESSIONS_MB", 1000)  # all visitors' documents
    evaluation_questions: int = _variable("SPRING_EVALUATION_QUESTIONS", 50)  # most questions of one run
    evaluation_seconds: int = _variable("SPRING_EVALUATION_SECONDS", 300)  # longest time of one run
    collections: tuple[tuple[str, str], ...] = _variable("SPRING_COLLECTIONS", ())  # NAME=DIR,... of indexes to offer
    mcp: bool = _variable("SPRING_MCP", False)  # offer the tool `compare` to assistants
    zero_gpu: bool = _variable("SPACES_ZERO_GPU", False)  # set by Spaces where a GPU is lent for one call at a time

    @property
    def comparisons_at_once(self) -> int:
        """How many run at the same time: one on a model that is here, more on a served one, which makes batches."""
        return self.at_once or (SERVED_AT_ONCE if self.engine_url else 1)

    @property
    def limits(self) -> ReadingLimits:
        """The limits of one upload: at most three files of the largest size at once."""
        return replace(READING_LIMITS, bytes=3 * self.upload_megabytes * MIB)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "AppSettings":
        """Read the variables that are set; an empty one counts as not set.

        Raises:
            SpringError: a number is not a whole one above 0.

        """
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = setting.metadata["variable"]
            if text := environment.get(name):
                values[setting.name] = _READERS.get(setting.type, _text)(name, text)
        return cls(**values)


def decode_step(environment: Mapping[str, str] = os.environ) -> DecodeStep:
    """How a model in this process decodes (see `spring.generation.step_pool`); the command line reads it too.

    Raises:
        SpringError: SPRING_STEP is none of the ways there are.

    """
    text = environment.get("SPRING_STEP") or "auto"
    for way in get_args(DecodeStep):
        if text == way:
            return cast(DecodeStep, way)
    raise SpringError(f"SPRING_STEP must be one of {', '.join(get_args(DecodeStep))}, not {text!r}.")


def _text(name: str, text: str) -> str:
    return text


def _collections(name: str, text: str) -> tuple[tuple[str, str], ...]:
    """`Wikipedia=/data/wiki,Minutes=/data/minutes`: pairs of name and folder."""
    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    pairs = tuple((title.strip(), folder.strip()) for title, _, folder in parts)
    if not all(title and folder for title, folder in pairs) or len({title for title, _ in pairs}) < len(pairs):
        raise SpringError(f"{name} must be NAME=DIR,... with each name once, not {text!r}.")
    return pairs


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SpringError(f"{name} must be a whole number above 0, not {text!r}.")
    return int(text)


def _flag(name: str, text: str) -> bool:
    return text.lower() in ("1", "t", "true")  # as the package `spaces` reads SPACES_ZERO_GPU


_READERS: Mapping[Any, Callable[[str, str], Any]] = {
    int: _number,
    bool: _flag,
    tuple[tuple[str, str], ...]: _collections,
}
