"""The one thread on which all work of a model runs, a step at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import torch

from spring.errors import ModelError

P = ParamSpec("P")
T = TypeVar("T")

OUT_OF_MEMORY = (
    "There is not enough memory for this question now: please ask with fewer passages or for a shorter answer."
)
_MESSAGES = ("can't allocate memory", "CUDA error: out of memory")


class ModelThread:
    """Runs steps one after the other, for any number of callers.

    One thread also means one OpenMP team: a second team on few cores makes both wait in their barriers, which nearly
    doubled the time of a token on two cores.

    Args:
        make_room: frees memory after a step that ran out of it.

    """

    def __init__(self, make_room: Callable[[], None]) -> None:
        self._make_room = make_room
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step in inference mode and wait for it.

        Raises:
            ModelError: there is not enough memory for it.

        """

        def step() -> T:
            with torch.inference_mode():  # a property of the thread, so it is entered on the worker
                return function(*args, **kwargs)

        try:
            return self._worker.submit(step).result()
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        # Here the error is released, and with it the tensors that its traceback held.
        self._worker.submit(self._free).result()
        raise ModelError(OUT_OF_MEMORY)

    def _free(self) -> None:
        self._make_room()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def out_of_memory(error: BaseException | None) -> bool:
    """Whether torch ran out of memory, or the error came while it was leaving a step that did.

    There is a type for it on a GPU, which libraries do not use; on a CPU it is recognised by its message.
    """
    while error is not None:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(error, RuntimeError) and any(text in str(error) for text in _MESSAGES):
            return True
        error = error.__context__
    return False
