"""Choose the precision that `auto` stands for: on a CPU by the time of two products, as its own word is not enough."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional

from spring.models.rounding import pack_4_bits

# A layer of the default backbone, with as many rows as reading passages and as writing two answers has.
OUT, IN = 1536, 576
MANY, FEW = 384, 2
WORTH = 0.7  # of the time of fp32: what a precision that changes answers must at most take
RUNS = 7


@dataclass(frozen=True, slots=True)
class Choice:
    """A precision, and the words that say why it is this one."""

    precision: str
    reason: str


def choose_precision(given: str, gpu: bool) -> Choice:
    """The precision of the weights.

    Args:
        given: what the user names; "auto" leaves the choice.
        gpu: whether the model goes to a GPU.

    """
    if given != "auto":
        return Choice(given, "as asked for")
    return Choice("4bit", "the least memory on a GPU") if gpu else fastest_on_cpu()


@cache
def fastest_on_cpu() -> Choice:
    """The precision int4 where this processor reads and writes faster with it, else fp32.

    A processor that lacks instructions, or a library that may not use them, computes bf16 several times as slowly as
    fp32, and the libraries' answers to what they support do not tell. So both products of int4 are timed, in 30 ms.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return Choice("fp32", "this processor has no AVX512, so fp32 is the fastest")
    with torch.inference_mode():
        reading, writing = _reading(), _writing()
    times = f"products take {reading:.2f} of fp32's time to read and {writing:.2f} to write"
    if max(reading, writing) <= WORTH:
        return Choice("int4", f"the fastest here: its {times}")
    return Choice("fp32", f"the fastest here: int4's {times}")


def _reading() -> float:
    """Time of a bf16 product of many rows, divided by that of an fp32 one."""
    weight, input = torch.randn(OUT, IN), torch.randn(MANY, IN)
    half = partial(functional.linear, input.bfloat16(), weight.bfloat16())
    return _ratio(half, partial(functional.linear, input, weight))


def _writing() -> float:
    """Time of a 4-bit product of few rows, divided by that of the fp32 one in `spring.models.cpu`."""
    weight, input = torch.randn(OUT, IN), torch.randn(FEW, IN)
    packed = partial(pack_4_bits(weight).product, input.bfloat16())
    return _ratio(packed, partial(torch.mm, weight, input.t()))


def _ratio(one: Callable[[], Tensor], other: Callable[[], Tensor]) -> float:
    """The shortest time of one function, divided by that of another; in turns, as the machine may be busy."""
    seconds: dict[Callable[[], Tensor], float] = {one: float("inf"), other: float("inf")}
    for _ in range(RUNS):
        for function in seconds:
            started = time.perf_counter()
            function()
            seconds[function] = min(seconds[function], time.perf_counter() - started)
    return seconds[one] / seconds[other]
