"""Choose the next token of every row from its logits."""

import torch
from torch import Tensor

from spring.generation.types import DecodingOptions

GREEDY_BELOW = 1e-4  # a lower temperature would be 0 in the logits' precision


def is_sampled(options: DecodingOptions) -> bool:
    """Whether tokens are drawn at random."""
    return options.temperature >= GREEDY_BELOW


class Sampler:
    """Greedy choice, or seeded sampling at a temperature; leaves the global random state alone.

    It never waits for the device, and what it depends on stays where it is, so that a CUDA graph can hold it.

    Args:
        sampled: draw at random.
        device: where the logits are.

    """

    def __init__(self, sampled: bool, device: torch.device) -> None:
        self.random = torch.Generator(device) if sampled else None
        self._temperature = torch.ones((), device=device)

    def start(self, options: DecodingOptions) -> None:
        """Begin anew, at the temperature and the seed of a stream."""
        if self.random is not None:
            self.random.manual_seed(options.seed)
            self._temperature.fill_(options.temperature)

    def choose(self, logits: Tensor) -> Tensor:
        """The next ids (rows,) from float32 logits (rows, vocabulary)."""
        if self.random is None:
            return logits.argmax(-1)
        probabilities = torch.softmax(logits / self._temperature, -1)
        # The greatest of p / E with E exponential is drawn as p says; `torch.multinomial` does so too, but waits for
        # the device to see whether p are probabilities.
        return (probabilities / torch.empty_like(probabilities).exponential_(generator=self.random)).argmax(-1)
