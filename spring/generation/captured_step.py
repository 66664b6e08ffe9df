"""Decode steps recorded as CUDA graphs: a replay launches all kernels of a step at once.

Without it a step of a 7B model waits for the launch of its thousand kernels, which takes several times as long as they
do (docs/architecture.md).
"""

from collections.abc import Callable
from weakref import WeakSet

import torch

from spring.generation.static_step import StaticStep

WARM_UP = ("default", "error")
"""How each run before the recording treats a wait for the device: the first may set up libraries."""


class GraphRecorder:
    """Records steps; their graphs share the memory for what a step needs between its ends.

    They may: nothing in it outlives a replay, and replays follow each other on one stream.

    Args:
        device: a CUDA device.

    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._graphs: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, step: StaticStep) -> Callable[[], object]:
        """Record a step; returns what replays it.

        Raises:
            RuntimeError: the step waits for the device, so a graph cannot hold it; its replay chooses other ids than
                the step; or there is not enough memory.

        """
        with torch.cuda.device(self._device):
            current = torch.cuda.current_stream()
            step.run()  # allocates the cache, on the stream on which it is used
            self._stream.wait_stream(current)
            with torch.cuda.stream(self._stream):
                self._warm_up(step)
            current.wait_stream(self._stream)
            # Should the recording fail, `torch.cuda.graph` does not leave its stream: this does.
            with torch.cuda.stream(current):
                replay = self._record(step)
            # What the host computed while the step was recorded would be the same for ever: better slow than wrong.
            if not torch.equal(step.rehearse(step.run), step.rehearse(replay)):
                raise RuntimeError("its replay chooses other tokens than the step")
            return replay

    def _warm_up(self, step: StaticStep) -> None:
        """Run the step as it will be recorded; one that waits fails here, where it does no harm to the allocator."""
        before = torch.cuda.get_sync_debug_mode()
        try:
            for mode in WARM_UP:
                torch.cuda.set_sync_debug_mode(mode)
                step.run()
        finally:
            torch.cuda.set_sync_debug_mode(before)

    def _record(self, step: StaticStep) -> Callable[[], object]:
        if not self._graphs:
            self._pool = torch.cuda.graph_pool_handle()  # one whose graphs are all gone cannot be used again
        graph = torch.cuda.CUDAGraph()
        if step.sampler.random is not None:
            graph.register_generator_state(step.sampler.random)
        # "thread_local": what other threads ask of the card, such as its free memory, does not end the recording.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            step.run()
        self._graphs.add(graph)
        return graph.replay
