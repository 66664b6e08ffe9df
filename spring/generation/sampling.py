"""Choose the next token of every row from its logits."""

import torch
from torch import Tensor

from spring.generation.types import DecodingOptions

GREEDY_BELOW = 1e-4  # a lower temperature would be 0 in the logits' precision


class Sampler:
    """Greedy choice, or seeded sampling at a temperature; leaves the global random state alone.

    Args:
        options: temperature and seed.
        device: where the logits are.

    """

    def __init__(self, options: DecodingOptions, device: torch.device) -> None:
        self._temperature = options.temperature
        self._random = torch.Generator(device).manual_seed(options.seed)

    def choose(self, logits: Tensor) -> Tensor:
        """The next ids (rows,) from float32 logits (rows, vocabulary)."""
        if self._temperature < GREEDY_BELOW:
            return logits.argmax(-1)
        probabilities = torch.softmax(logits / self._temperature, -1)
        return torch.multinomial(probabilities, 1, generator=self._random)[:, 0]
