"""Messages between the server and the model's process: one JSON object each, of a bounded size.

JSON instead of pickle: neither side executes what the other sends. Pydantic validates every message against the types.
"""

from multiprocessing.connection import Connection
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from spring.generation.types import Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft

LONGEST = 64 * 2**20  # bytes of a message; the longest hold the prompts of an evaluation's batch


# --- from the server ---


@dataclass(frozen=True, slots=True)
class Ask:
    """Begin a stream; its arguments are those of `Engine.stream`."""

    id: int
    requests: tuple[GenerationRequest, ...]
    options: DecodingOptions
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Attribute:
    """Begin a stream; its arguments are those of `Engine.attribute`."""

    id: int
    draft: PromptDraft
    ids: tuple[tuple[int, ...], ...]
    kind: Literal["attribute"] = "attribute"


@dataclass(frozen=True, slots=True)
class Next:
    """Request one more step of a stream; without this none is made."""

    id: int
    kind: Literal["next"] = "next"


@dataclass(frozen=True, slots=True)
class Drop:
    """End a stream."""

    id: int
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True)
class Fit:
    """Fit passages into the context; its argument is that of `Engine.fit`."""

    id: int
    draft: PromptDraft
    kind: Literal["fit"] = "fit"


# --- from the model's process ---


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded; facts about it."""

    backbone: str
    precision: str
    precision_reason: str
    context_length: int
    device: str
    virtual_tokens: int
    hidden: int
    learned: str
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Refused:
    """The model cannot be loaded: the error."""

    error: str  # name of a class in `spring.errors`
    message: str
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A step of a stream that `Ask` began was made."""

    id: int
    progress: Progress
    kind: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class AttributionSnapshot:
    """A step of a stream that `Attribute` began was made."""

    id: int
    attribution: Attribution
    kind: Literal["attribution"] = "attribution"


@dataclass(frozen=True, slots=True)
class End:
    """A stream has ended."""

    id: int
    kind: Literal["end"] = "end"


@dataclass(frozen=True, slots=True)
class Failed:
    """A stream or a fit has failed: the error."""

    id: int
    error: str  # name of a class in `spring.errors`
    message: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Fitted:
    """The passages of a draft that fit."""

    id: int
    kept: int
    kind: Literal["fitted"] = "fitted"


Command = Ask | Attribute | Next | Drop | Fit
Answered = Snapshot | AttributionSnapshot | End | Failed | Fitted
Report = Ready | Refused | Answered
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
_REPORT: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])


def send_command(connection: Connection, command: Command) -> None:
    """Send a command to the model's process; OSError if it has ended."""
    connection.send_bytes(_COMMAND.dump_json(command))


def read_command(connection: Connection) -> Command:
    """Receive the server's next command; EOFError or OSError if it has ended."""
    return _COMMAND.validate_json(connection.recv_bytes(LONGEST))


def send_report(connection: Connection, report: Report) -> None:
    """Send a report to the server; OSError if it has ended."""
    connection.send_bytes(_REPORT.dump_json(report))


def read_report(connection: Connection) -> Report:
    """Receive the model process's next report; EOFError or OSError if it has ended."""
    return _REPORT.validate_json(connection.recv_bytes(LONGEST))
