"""Ids on their way from the model's device to the host."""

import torch
from torch import Tensor


class ArrivingIds:
    """A copy of one id a row, (rows,): begun at once, waited for when it is read.

    To be made on the model's thread; what the device does afterwards does not change the copy.
    """

    def __init__(self, ids: Tensor) -> None:
        self._ids = ids.to("cpu", non_blocking=ids.is_cuda, copy=True)  # from a card into pinned memory
        self._arrived: torch.cuda.Event | None = None
        if ids.is_cuda:
            self._arrived = torch.cuda.Event()
            self._arrived.record(torch.cuda.current_stream(ids.device))

    def read(self) -> list[int]:
        """The ids, when they have arrived; from any thread."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return [int(id) for id in self._ids.tolist()]
