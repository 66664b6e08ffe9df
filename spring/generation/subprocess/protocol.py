"""What the server and the model's process say to each other: one JSON object a message, of a bounded size.

JSON and not pickle: neither side runs what the other sends. Pydantic checks every message against these types.
"""

from multiprocessing.connection import Connection
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from spring.generation.types import DecodingOptions, GenerationRequest, Progress

LONGEST = 64 * 2**20  # bytes of a message; the longest are the prompts of an evaluation's batch


# --- from the server ---


@dataclass(frozen=True, slots=True)
class Ask:
    """Begin a stream; its arguments are those of `Engine.stream`."""

    id: int
    requests: tuple[GenerationRequest, ...]
    settings: DecodingOptions
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Next:
    """One more step of a stream is wanted; without this none is made."""

    id: int
    kind: Literal["next"] = "next"


@dataclass(frozen=True, slots=True)
class Drop:
    """A stream is no longer wanted."""

    id: int
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True, slots=True)
class Measure:
    """Count the input tokens of a request."""

    id: int
    request: GenerationRequest
    kind: Literal["measure"] = "measure"


# --- from the model's process ---


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded; what there is to say of it."""

    backbone: str
    precision: str
    context_length: int
    device: str
    virtual_tokens: int
    hidden: int
    learned: str
    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Refused:
    """The model cannot be loaded: why, and what to do."""

    error: str  # name of a class in `spring.errors`
    message: str
    kind: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A step of a stream was made."""

    id: int
    progress: Progress
    kind: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class End:
    """A stream has ended."""

    id: int
    kind: Literal["end"] = "end"


@dataclass(frozen=True, slots=True)
class Failed:
    """A stream or a measurement has failed."""

    id: int
    error: str  # name of a class in `spring.errors`
    message: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Measured:
    """Input tokens of a request."""

    id: int
    length: int
    kind: Literal["measured"] = "measured"


Command = Ask | Next | Drop | Measure
Answered = Snapshot | End | Failed | Measured
Report = Ready | Refused | Answered
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])
_REPORT: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])


def send_command(connection: Connection, command: Command) -> None:
    """Say something to the model's process; OSError if it is gone."""
    connection.send_bytes(_COMMAND.dump_json(command))


def read_command(connection: Connection) -> Command:
    """What the server says next; EOFError or OSError if it is gone."""
    return _COMMAND.validate_json(connection.recv_bytes(LONGEST))


def send_report(connection: Connection, report: Report) -> None:
    """Say something to the server; OSError if it is gone."""
    connection.send_bytes(_REPORT.dump_json(report))


def read_report(connection: Connection) -> Report:
    """What the model's process says next; EOFError or OSError if it is gone."""
    return _REPORT.validate_json(connection.recv_bytes(LONGEST))
