"""Choose the precision that `auto` stands for: on a CPU by timing products, as its own word is not enough."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from spring.models.int8 import pack_int8
from spring.models.rounding import PackedWeights, pack_4_bits
from spring.models.size import BESIDE

# A layer of the default backbone, with as many rows as a piece of passages and as two answers have.
OUT, IN = 1536, 576
MANY, FEW = 384, 2
MATRICES = 32  # whose products are timed in turn: as in a model, weights come from memory, not from a cache
PIECES, STEPS = 2, 32  # of a comparison: passages and questions that are read, and tokens that are written
WORTH = 0.7  # of the time of fp32: what a precision that changes answers must at most take
BETTER = 0.9  # of the time of int4: what others, which round more or take more memory, must at most take
RUNS = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """A precision, and the words that say why it is this one."""

    precision: str
    reason: str


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a product: of many rows in bf16, 8 bits and fp32, and of few with 4-bit weights and in fp32."""

    reading_bf16: float
    reading_int8: float
    reading_fp32: float
    writing_int4: float
    writing_fp32: float

    @property
    def comparisons(self) -> Mapping[str, float]:
        """Seconds that a layer takes in a comparison, by precision."""
        packed = STEPS * self.writing_int4
        return {
            "fp32": PIECES * self.reading_fp32 + STEPS * self.writing_fp32,
            "int4": PIECES * self.reading_bf16 + packed,
            "int4-int8": PIECES * self.reading_int8 + packed,
            "int4-fp32": PIECES * self.reading_fp32 + packed,
        }


def choose_precision(given: str, gpu: bool, fits: Callable[[str], bool] = lambda precision: True) -> Choice:
    """The precision of the weights.

    Args:
        given: what the user names; "auto" leaves the choice.
        gpu: whether the model goes to a GPU.
        fits: whether the free memory holds the model in a precision.

    """
    if given != "auto":
        return Choice(given, "as asked for")
    if gpu:
        return Choice("4bit", "the least memory on a GPU")
    shares = shares_of_fp32()
    first, *others = by_time(shares)
    chosen = next(filter(fits, (first, *others)), first)  # where none fits, loading says what to do
    short = "" if chosen == first else f" that fits into memory, which {first} does not"
    return Choice(
        chosen,
        f"the fastest here{short}: products of a comparison take {shares['int4']:.2f} of fp32's time in int4, "
        f"{shares['int4-int8']:.2f} in int4-int8, {shares['int4-fp32']:.2f} in int4-fp32",
    )


def by_time(shares: Mapping[str, float]) -> list[str]:
    """The precisions for a processor, best first; those that change answers come after fp32 if they gain little."""
    fast = sorted(BESIDE, key=lambda name: shares[name] * (BETTER if name == "int4" else 1))
    worth = [name for name in fast if shares[name] <= WORTH]
    return [*worth, "fp32", *(name for name in fast if name not in worth)]


@cache
def shares_of_fp32() -> Mapping[str, float]:
    """By precision, the time of fp32 that a comparison's products take on this processor.

    A processor that lacks instructions, or a library that may not use them, computes bf16 several times as slowly as
    fp32, and the libraries' answers to what they support do not tell. So products are timed, in 0.2 s.
    """
    with torch.inference_mode():
        seconds = measure().comparisons
    return {name: took / seconds["fp32"] for name, took in seconds.items()}


def measure() -> Times:
    """Time the products on one thread, the shortest of several runs in turns.

    On a busy machine two threads wait for each other, and then all products seem to take the same time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure()
    finally:
        torch.set_num_threads(threads)


def _measure() -> Times:
    weights, input = torch.full((MATRICES, OUT, IN), 0.5), torch.randn(MANY, IN)
    packed, int8 = pack_4_bits(torch.randn(OUT, IN)), pack_int8(torch.randn(OUT, IN))
    few, half = input[:FEW].clone(), weights[0].bfloat16()
    copies = [PackedWeights(packed.levels.clone(), packed.scales.clone()) for _ in range(MATRICES)]
    groups: list[list[Callable[[], Tensor]]] = [
        [partial(functional.linear, input.bfloat16(), half)],
        [partial(int8.product, input)],
        [partial(functional.linear, input, weights[0])],
        [partial(copy.product, few) for copy in copies],
        [partial(torch.mm, weight, few.t()) for weight in weights],  # as in `spring.models.cpu`
    ]
    seconds: list[list[float]] = [[] for _ in groups]
    for _ in range(RUNS):
        for calls, times in zip(groups, seconds, strict=True):
            times += map(_seconds, calls)
    return Times(*map(min, seconds))


def _seconds(call: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
