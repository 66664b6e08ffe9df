"""The table of known backbones: name, hub id, size and published virtual tokens of each."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spring.models.size import Size
from spring.settings import DEFAULT_BACKBONE

PUBLISHED_REPOSITORY = "yutaozhu94/SPRING"  # the authors' virtual tokens, https://huggingface.co/yutaozhu94/SPRING
PRECISIONS = ("auto", "4bit", "bf16", "fp32", "4bit-double", "int4", "int4-int8", "int4-fp32")


@dataclass(frozen=True, slots=True)
class KnownBackbone:
    """One row of the table."""

    name: str
    hub_id: str
    size: Size
    token_file: str = ""  # in PUBLISHED_REPOSITORY; empty: none published
    gated: bool = False


_SMOLLM2_135M = Size(106_168_320, 28_346_688, 11_520)
_MISTRAL_7B = Size(6_979_321_856, 262_410_240, 65_536)
_LLAMA_2_7B = Size(6_476_005_376, 262_410_240, 262_144)
_LLAMA_2_13B = Size(12_687_769_600, 328_094_720, 409_600)

KNOWN_BACKBONES: Mapping[str, KnownBackbone] = MappingProxyType(
    {
        known.name: known
        for known in (
            KnownBackbone(DEFAULT_BACKBONE, "HuggingFaceTB/SmolLM2-135M-Instruct", _SMOLLM2_135M),
            KnownBackbone(
                "mistral-7b-instruct",
                "mistralai/Mistral-7B-Instruct-v0.1",
                _MISTRAL_7B,
                "mistral.7b.instruct.added_token_embeddings.pt",
            ),
            KnownBackbone(
                "mistral-7b",
                "mistralai/Mistral-7B-v0.1",
                _MISTRAL_7B,
                "mistral.7b.base.added_token_embeddings.pt",
            ),
            KnownBackbone(
                "llama-2-7b-chat",
                "meta-llama/Llama-2-7b-chat-hf",
                _LLAMA_2_7B,
                "llama2.7b.chat.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-7b",
                "meta-llama/Llama-2-7b-hf",
                _LLAMA_2_7B,
                "llama2.7b.base.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-13b-chat",
                "meta-llama/Llama-2-13b-chat-hf",
                _LLAMA_2_13B,
                "llama2.13b.chat.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-13b",
                "meta-llama/Llama-2-13b-hf",
                _LLAMA_2_13B,
                "llama2.13b.base.added_token_embeddings.pt",
                gated=True,
            ),
        )
    }
)


PUBLISHED_FILES: Mapping[str, str] = MappingProxyType(
    {known.token_file: known.name for known in KNOWN_BACKBONES.values() if known.token_file}
)
"""The authors' files of virtual tokens and the backbone of each."""


def known_name(text: str) -> str:
    """The table's name of a backbone that a user names, else the user's own name for it, without a revision.

    A folder is named by its last part, or by the repository if it is in the hub's cache. So the virtual tokens of a
    known backbone are accepted for a copy of it in a folder with the hub's name.
    """
    folder = os.path.expanduser(text)
    if os.path.isdir(folder):  # of any text: in pathlib too long a name or an unknown user is an error
        given = _folder_name(Path(folder).resolve())
        ends = {known.hub_id.rpartition("/")[2].lower(): known.name for known in KNOWN_BACKBONES.values()}
        given = ends.get(given.lower(), given)
    else:
        given = text.partition("@")[0]
    return table_name(given)


def table_name(given: str) -> str:
    """The table's name of a backbone that is named by it or by its hub id, else the given name."""
    return next((known.name for known in KNOWN_BACKBONES.values() if given in (known.name, known.hub_id)), given)


def _folder_name(folder: Path) -> str:
    """A folder's name; `owner/name` for .../models--owner--name/snapshots/<revision>."""
    repository = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/")
    return folder.name


def origin(number: int, backbone: str, learned: str) -> str:
    """One line on where virtual tokens come from."""
    if not learned:
        return f"{number} initial values for {backbone} (the instruction's embeddings), not learned yet"
    return f"{number} tokens for {backbone}, {learned}"
