"""`spring.json` of an exported folder: which ids are the virtual tokens, whose they are, and how to know the server."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from spring.errors import BackboneError

FILE = "spring.json"
MOST_BYTES = 2**20
Id = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt whose answer is known."""

    prompt: tuple[Id, ...]
    answer: tuple[Id, ...]  # the first greedy ids, as far as none is nearly a tie


@dataclass(frozen=True, slots=True)
class ChatFrame:
    """Ids of the chat template before and after a user's message."""

    head: tuple[Id, ...]
    tail: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an engine needs to know of an exported model besides its tokenizer."""

    backbone: str
    learned: str
    hidden: int
    virtual_token_ids: Annotated[tuple[Id, ...], Field(min_length=1)]  # in order: t1 is the first
    eos_ids: tuple[Id, ...]  # that end an answer
    bos_id: Id | None  # that the tokenizer puts before a text
    context_length: int
    at_front: bool  # whether the tokens were learned before the passages, instead of behind them
    stored: str  # type of the embeddings as stored: "F32", "BF16" or "F16"
    weights: str  # `Backbone.fingerprint`
    tokenizer: str  # SHA-256 of the backbone's own
    tokenizer_file: str  # SHA-256 of the exported tokenizer.json
    token_file: str  # SHA-256 of the virtual tokens in float32
    chat: ChatFrame | None  # None: the tokenizer has no chat template
    chat_template: str
    probes: tuple[Probe, ...]
    version: Literal[1] = 1


_MANIFEST = TypeAdapter(Manifest)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `spring.json`."""
    (folder / FILE).write_bytes(_MANIFEST.dump_json(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Read `spring.json`.

    Raises:
        BackboneError: the folder was not written by `spring export`.

    """
    path = folder / FILE
    if not os.path.isfile(path):
        raise BackboneError(f"{folder} is no folder that `spring export` made: it has no {FILE}.")
    try:
        with path.open("rb") as file:
            return _MANIFEST.validate_json(file.read(MOST_BYTES))
    except (OSError, ValidationError) as error:
        raise BackboneError(f"{path} is broken, or of another version of spring: export the model again.") from error
