"""Memory that a model takes, known before it is loaded: weights, keys and values, recorded steps, work."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from spring.errors import PromptError

# Bytes of a packed parameter. NF4 has an fp32 scale for 64 parameters; double quantization stores the scales in 8
# bits, with an fp32 scale for 256 of them (https://arxiv.org/abs/2305.14314, section 3).
PACKED_BYTES: Mapping[str, float] = MappingProxyType(
    {"4bit": 1 / 2 + 4 / 64, "4bit-double": 1 / 2 + 1 / 64 + 4 / 2**14}
)
# What packs for few rows, and in what stands beside it for many.
BESIDE: Mapping[str, str] = MappingProxyType({"int4": "bf16", "int4-int8": "int8", "int4-fp32": "fp32"})
# It packs into 4 bits, and a bf16 scale and zero for 32 parameters; twice that for the output layer's 8 bits.
INT4_BYTES = 1 / 2 + 4 / 32
WORKSPACE = 2**29  # bytes for activations and the libraries' own use
# Decode steps that are recorded as CUDA graphs (`spring.generation.static_step`); without room for them they are not.
STEP_SLOTS = 256  # a step's capacity is a multiple of this, so that questions of about the same length have the same
GRAPHS = 2**28  # bytes for what they work in: activations, and 32 MiB of cuBLAS' own on newer cards
MOST_ANSWERS, MOST_VIRTUAL, MOST_LENGTH = 128, 1024, 1_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """Answers that are written at once, by what their keys and values depend on; lengths in tokens.

    By default those of k = 0 and 50 to ten passages.

    Raises:
        PromptError: a number is out of range.

    """

    ks: tuple[int, ...] = (0, 50)  # the virtual tokens of each answer
    passages: int = 1_800
    question: int = 100
    new_tokens: int = 50
    number: int = 50  # n, the virtual tokens in the file, for which there is room behind the passages

    def __post_init__(self) -> None:
        if not 1 <= len(self.ks) <= MOST_ANSWERS:
            raise PromptError(f"There can be 1 to {MOST_ANSWERS} answers at once, not {len(self.ks)}.")
        for k in self.ks:
            if not 0 <= k <= min(self.number, MOST_VIRTUAL):
                raise PromptError(f"k must be 0 to {min(self.number, MOST_VIRTUAL)}, not {k}.")
        lengths = {"passages": self.passages, "question": self.question, "answer": self.new_tokens}
        for name, length in lengths.items():
            if not 1 <= length <= MOST_LENGTH:
                raise PromptError(f"The length of the {name} must be 1 to {MOST_LENGTH:,} tokens, not {length}.")

    @property
    def answer_positions(self) -> int:
        """Positions whose keys and values an answer stores."""
        return self.passages + max(self.ks) + self.question + self.new_tokens

    @property
    def cached_positions(self) -> int:
        """Positions whose keys and values are stored: the passages as they are read, then each answer's own copy.

        Where the answers share the passages, as on a CPU, it is less. Passages of earlier questions are kept as well,
        but dropped when memory is short.
        """
        return self.passages + self.number + len(self.ks) * self.answer_positions

    @property
    def positions_added_by_graphs(self) -> int:
        """Positions by which the answers are longer where steps are recorded."""
        return len(self.ks) * (-self.answer_positions % STEP_SLOTS)


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

    def weight_bytes(self, precision: str, gpu: bool = True) -> int:
        """Memory for the weights."""
        if beside := BESIDE.get(precision):
            number = _bytes_of_number(precision, gpu)
            plain = self.packed * (1 if beside == "int8" else number) + self.other * number
            return plain + round((self.packed + 2 * self.other) * INT4_BYTES)
        number = _bytes_of_number(precision, gpu)
        return round(self.packed * PACKED_BYTES.get(precision, number) + self.other * number)

    def cache_bytes(self, precision: str, gpu: bool = True, work: Workload = Workload()) -> int:
        """Memory for the keys and values of answers that are written at once."""
        return self.cached * _bytes_of_number(precision, gpu) * work.cached_positions

    def graph_bytes(self, precision: str, gpu: bool = True, work: Workload = Workload()) -> int:
        """Memory for recorded steps, beside what the answers need without them."""
        return self.cached * _bytes_of_number(precision, gpu) * work.positions_added_by_graphs + GRAPHS

    def bytes_needed(self, precision: str, gpu: bool = True, work: Workload = Workload()) -> int:
        """Memory for the weights, the keys and values, and the work, in bytes, where steps are not recorded."""
        return self.weight_bytes(precision, gpu) + self.cache_bytes(precision, gpu, work) + WORKSPACE


def _bytes_of_number(precision: str, gpu: bool) -> int:
    """Of a number that is not packed: on a CPU those beside packed ones are in fp32, the fastest there."""
    full = BESIDE.get(precision, precision) in ("fp32", "int8")
    return 4 if full or (precision in PACKED_BYTES and not gpu) else 2
