"""Decode steps that are ready to run, kept for the next streams of the same shape within a memory budget."""

from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

import torch

from spring.generation.captured_step import GraphRecorder
from spring.generation.model_thread import out_of_memory
from spring.generation.static_step import StaticStep, StepShape
from spring.models.backbone import Backbone
from spring.models.loader import to_stderr
from spring.models.memory import free_bytes, size_of
from spring.settings import DecodeStep

SHARE = 4  # of the memory that is free when the model is loaded, steps take at most one part in so many
Recorder = Callable[[StaticStep], Callable[[], object]]
"""Makes what runs a step: the replay of a graph, or the step as it is."""


@dataclass(frozen=True, eq=False)
class ReadyStep:
    """A step, and what runs it."""

    step: StaticStep
    run: Callable[[], object]
    nbytes: int  # of its cache


class StepPool:
    """Lends each step to one stream at a time. For the model's worker thread only, but for `give_back`.

    Args:
        backbone: the model.
        record: is called once for each step; None: steps run as they are.
        budget: bytes that the caches of all steps may take, those on loan included.
        report: takes a line when a step cannot be made, once for each reason.

    """

    def __init__(
        self,
        backbone: Backbone,
        record: Recorder | None,
        budget: int,
        report: Callable[[str], None] = to_stderr,
    ) -> None:
        self.budget = budget
        self._backbone, self._record, self._report = backbone, record, report
        self._slot_bytes = size_of(backbone.model).cached * backbone.model.dtype.itemsize
        self._free: list[ReadyStep] = []  # used longest ago first
        self._lent: set[ReadyStep] = set()
        # A stream may be dropped in any thread, by the garbage collector too; only `SimpleQueue.put` is fit for that.
        self._returned: SimpleQueue[ReadyStep] = SimpleQueue()
        self._said: set[str] = set()

    @property
    def nbytes(self) -> int:
        """Bytes that the caches of all steps take."""
        return sum(ready.nbytes for ready in [*self._free, *self._lent])

    def must_record(self, shape: StepShape) -> bool:
        """Whether a step of this shape is to be recorded first, which takes a moment."""
        self._collect()
        return self._record is not None and self._fits(shape) and self._place(shape) is None

    def take(self, shape: StepShape) -> ReadyStep | None:
        """A step for one stream until it is given back; None: there is no room for one, or it cannot be recorded."""
        self._collect()
        place = self._place(shape)
        ready = self._make(shape) if place is None else self._free.pop(place)
        if ready is not None:
            self._lent.add(ready)
        return ready

    def give_back(self, ready: ReadyStep) -> None:
        """End the loan of a step; from any thread."""
        self._returned.put(ready)

    def clear(self) -> None:
        """Drop all steps that are not on loan."""
        self._collect()
        self._drop(len(self._free))

    def _collect(self) -> None:
        while not self._returned.empty():
            ready = self._returned.get()
            self._lent.remove(ready)
            self._free.append(ready)

    def _place(self, shape: StepShape) -> int | None:
        return next((place for place, ready in enumerate(self._free) if ready.step.shape == shape), None)

    def _bytes(self, shape: StepShape) -> int:
        return shape.rows * shape.capacity * self._slot_bytes

    def _fits(self, shape: StepShape) -> bool:
        """Whether there is room for another step, if all that are not on loan are dropped."""
        return sum(ready.nbytes for ready in self._lent) + self._bytes(shape) <= self.budget

    def _drop(self, count: int) -> None:
        """Drop those used longest ago, when the device has done with them."""
        if count and self._backbone.model.device.type == "cuda":
            torch.cuda.synchronize(self._backbone.model.device)
        del self._free[:count]

    def _make(self, shape: StepShape) -> ReadyStep | None:
        if not self._fits(shape):
            if self.budget:
                self._say(f"There is no room to keep a decode step of {shape}: the eager one is used.")
            return None
        needed = self._bytes(shape)
        while self.nbytes + needed > self.budget:
            self._drop(1)
        try:
            step = StaticStep(self._backbone, shape)
            return ReadyStep(step, self._record(step) if self._record else step.run, needed)
        except (MemoryError, RuntimeError) as error:
            lacks_memory, reason = out_of_memory(error), str(error).strip().partition("\n")[0]
        # Here the error is released, and with it the tensors that its traceback held.
        self.clear()
        if self._backbone.model.device.type == "cuda":
            torch.cuda.empty_cache()
        if lacks_memory:
            self.budget //= 2
            self._say(f"There is not enough memory to record a decode step of {shape}: the eager one is used.")
        else:
            self.budget = 0
            self._say(f"The decode steps of {self._backbone.name} cannot be recorded ({reason}): eager ones are used.")
        return None

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._report(line)


def steps_for(backbone: Backbone, way: DecodeStep, report: Callable[[str], None] = to_stderr) -> StepPool | None:
    """The steps of an engine; None: it decodes eagerly.

    Args:
        backbone: the loaded model.
        way: "auto": recorded where the model is on one CUDA card; "static": the same steps, but run as they are, on any
            device; "eager".
        report: takes a line if a model on cards decodes eagerly.

    """
    devices = {parameter.device for parameter in backbone.model.parameters()}
    cuda = backbone.model.device.type == "cuda"
    if way == "auto" and len(devices) > 1:
        report(f"{backbone.name} is on several devices, so its decode steps are not recorded.")
    if way == "eager" or (way == "auto" and (not cuda or len(devices) > 1)):
        return None
    record = GraphRecorder(backbone.model.device) if way == "auto" else None
    return StepPool(backbone, record, free_bytes(cuda) // SHARE, report)
