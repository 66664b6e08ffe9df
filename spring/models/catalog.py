"""The table of known backbones: name, hub id, size and published virtual tokens of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spring.settings import DEFAULT_BACKBONE

PUBLISHED_REPOSITORY = "yutaozhu94/SPRING"  # the authors' virtual tokens, https://huggingface.co/yutaozhu94/SPRING
PRECISIONS = ("auto", "4bit", "bf16", "fp32", "4bit-double", "int4")

# Bytes of a packed parameter. NF4 has an fp32 scale for 64 parameters; double quantization stores the scales in 8
# bits, with an fp32 scale for 256 of them (https://arxiv.org/abs/2305.14314, section 3).
PACKED_BYTES: Mapping[str, float] = MappingProxyType(
    {"4bit": 1 / 2 + 4 / 64, "4bit-double": 1 / 2 + 1 / 64 + 4 / 2**14}
)
# int4 packs beside bf16: 4 bits, and a bf16 scale and zero for 32 parameters; twice that for the output layer's 8 bits.
INT4_BYTES = 1 / 2 + 4 / 32
CACHED_POSITIONS = 4096  # room for the key/value cache: two answers of 2,048 tokens each, passages included
WORKSPACE = 2**29  # bytes for activations and the libraries' own use


@dataclass(frozen=True, slots=True)
class Size:
    """Parameters of a model, counted."""

    packed: int  # of the linear layers, which 4-bit loading packs
    other: int  # of the embeddings, the output layer and the norms, which it leaves as they are
    cached: int  # numbers of the keys and values of one position, over all layers

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.packed + self.other

    def bytes_needed(self, precision: str, gpu: bool = True) -> int:
        """Memory for the weights, the key/value cache and the work, in bytes.

        On a CPU, parameters that 4-bit loading does not pack are in fp32, the fastest there.
        """
        if precision == "int4":
            return self.bytes_needed("bf16", gpu) + round((self.packed + 2 * self.other) * INT4_BYTES)
        packed = PACKED_BYTES.get(precision)
        number = 4 if precision == "fp32" or (packed is not None and not gpu) else 2
        weights = self.packed * (packed or number) + self.other * number
        return round(weights) + self.cached * number * CACHED_POSITIONS + WORKSPACE


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
    folder = Path(text).expanduser()
    if folder.is_dir():
        given = _folder_name(folder.resolve())
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
