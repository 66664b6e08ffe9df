"""Hyperparameters of a training run."""

import math
from dataclasses import dataclass

from spring.errors import PromptError


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Length, batch size, optimizer and intervals of a run; the defaults suit a small model on a CPU.

    Raises:
        PromptError: a value is out of range.

    """

    epochs: float = 3.0
    batch_size: int = 2  # samples in one forward pass, over all processes
    gradient_accumulation: int = 4  # forward passes in one optimizer step
    learning_rate: float = 1e-2  # the highest one, after the warm-up
    warmup: float = 0.03  # share of the steps
    clip: float = 1.0  # largest norm of the gradient
    average: float = 0.98  # decay of the exponential moving average of the tokens, which is the result; 0: none
    evaluate_every: int = 100  # steps between evaluations on the dev questions
    save_every: int = 25  # steps between checkpoints

    def __post_init__(self) -> None:
        positive = {"epochs": self.epochs, "batch size": self.batch_size, "learning rate": self.learning_rate}
        positive |= {"gradient accumulation": self.gradient_accumulation, "clip": self.clip}
        for name, value in positive.items():
            if not 0 < value < math.inf:
                raise PromptError(f"The {name} must be above 0, not {value}.")
        if not 0 <= self.warmup < 1 or not 0 <= self.average < 1:
            raise PromptError(
                f"Warm-up and average must be at least 0 and below 1, not {self.warmup} and {self.average}."
            )
        if self.evaluate_every < 1 or self.save_every < 1:
            raise PromptError("The steps between evaluations and between checkpoints must be at least 1.")

    @property
    def samples_per_step(self) -> int:
        """Samples in one optimizer step."""
        return self.batch_size * self.gradient_accumulation

    def steps(self, questions: int) -> int:
        """Optimizer steps of the whole run."""
        return max(1, math.ceil(self.epochs * questions / self.samples_per_step))

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0: linear warm-up, then a cosine down to a fiftieth."""
        warm = max(1, round(self.warmup * steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        cosine = (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2
        return self.learning_rate * (0.02 + 0.98 * cosine)


PAPER = TrainingSettings(
    epochs=3,
    batch_size=8,
    gradient_accumulation=32,
    learning_rate=1e-4,
    warmup=0.1,
    average=0.0,
    evaluate_every=10,
    save_every=5,  # such a step takes minutes
)
"""The paper's settings for backbones of 7 billion parameters: 256 samples a step."""

PAPER_WIDTH = 2048  # hidden size from which a backbone is treated like those of the paper


def paper_size(hidden: int) -> bool:
    """Whether a backbone of this hidden size is trained like those of the paper."""
    return hidden >= PAPER_WIDTH


def default_settings(hidden: int) -> TrainingSettings:
    """The settings for a backbone of this hidden size."""
    return PAPER if paper_size(hidden) else TrainingSettings()


def default_shared_k(hidden: int) -> int:
    """How many k of one sample share its passages: 1 as in the paper, 3 for small backbones."""
    return 1 if paper_size(hidden) else 3
