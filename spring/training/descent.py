"""Gradient descent on the (n, hidden) matrix of virtual tokens; everything else is frozen (paper, section 3.3).

It runs on accelerate, so `accelerate launch -m spring train ...` spreads it over several processes: each takes its
share of every batch, and the tokens are the same up to rounding.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import GradientAccumulationPlugin
from torch import Tensor, nn

from spring.errors import PromptError
from spring.training.batches import Batches
from spring.training.loss import Example, losses
from spring.training.prefix_states import PrefixStates
from spring.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Step:
    """What a step of the optimizer was like, averaged over the processes."""

    loss: float
    learning_rate: float
    gradient_norm: float  # before it was clipped


class _TokenMatrix(nn.Module):
    """The matrix that is learned. The backbones are no submodules, so nothing wraps, synchronizes or saves them."""

    def __init__(self, states: Sequence[PrefixStates], initial: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(initial.detach().clone())
        self._states = tuple(states)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        found = []
        for place, states in enumerate(self._states):
            if own := [example for example in examples if example.rotation % len(self._states) == place]:
                found.append(losses(states, self.tokens, own))
        return torch.cat(found).mean()


class Descent:
    """The matrix, its optimizer, and the processes that share the work.

    Args:
        states: of the backbones, which are used for the samples in rotation.
        initial: (n, hidden), on any device.
        settings: batch size, learning rate, clipping.

    Raises:
        PromptError: the processes cannot share a batch.

    """

    def __init__(self, states: Sequence[PrefixStates], initial: Tensor, settings: TrainingSettings) -> None:
        device = states[0].backbone.model.device
        self.settings = settings
        self.accelerator = Accelerator(
            cpu=device.type == "cpu",
            mixed_precision="no",  # the backbone has its precision already, whatever `accelerate config` says
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=settings.gradient_accumulation, sync_with_dataloader=False
            ),
        )
        if settings.batch_size % self.accelerator.num_processes:
            raise PromptError(
                f"A batch of {settings.batch_size} cannot be divided among {self.accelerator.num_processes} processes: "
                "choose a multiple as --batch-size."
            )
        matrix = _TokenMatrix(states, initial.to(device))
        optimizer = torch.optim.AdamW([matrix.tokens], settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
        self._matrix, self._optimizer = self.accelerator.prepare(matrix, optimizer)

    @property
    def tokens(self) -> nn.Parameter:
        """The matrix that is learned, without accelerate's wrapper."""
        matrix: _TokenMatrix = self.accelerator.unwrap_model(self._matrix)
        return matrix.tokens

    @property
    def process(self) -> tuple[int, int]:
        """The number of this process, and how many there are."""
        return self.accelerator.process_index, self.accelerator.num_processes

    def steps(self, batches: Batches, last: int) -> Iterator[Step]:
        """Make the steps of all batches; yield after each.

        Args:
            batches: of the steps to be made.
            last: the steps of the whole run, by which the learning rate falls.

        Raises:
            PromptError: a gradient is not finite.

        """
        step, total = batches.steps[0], 0.0
        for batch in batches:
            with self.accelerator.accumulate(self._matrix):
                loss = self._matrix(batch)
                self.accelerator.backward(loss)
                total += loss.item() / self.settings.gradient_accumulation
                if not self.accelerator.sync_gradients:
                    continue
                rate = self.settings.rate(step, last)
                for group in self._optimizer.param_groups:
                    group["lr"] = rate
                norm = float(self.accelerator.clip_grad_norm_(self._matrix.parameters(), self.settings.clip))
                if not math.isfinite(norm):  # the step would make the tokens, and then the checkpoint, useless
                    raise PromptError(
                        f"The gradient of step {step + 1} is not finite: choose a smaller --learning-rate, "
                        "or --precision fp32."
                    )
                self._optimizer.step()
                self._optimizer.zero_grad()
            yield Step(self._mean(total), rate, norm)
            step, total = step + 1, 0.0

    def _mean(self, value: float) -> float:
        """Average a number over the processes."""
        mean: Tensor = self.accelerator.reduce(torch.tensor(value, device=self.accelerator.device), "mean")
        return float(mean)
