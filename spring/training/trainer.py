"""A training run: its steps, the evaluations on the way, its log and checkpoints, and what it gives in the end."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.training.backbones import (
    prepare_attention,
    require_one_device,
    require_one_set_of_weights,
    require_plain_logits,
)
from spring.training.batches import Batches
from spring.training.checkpoints import RunFolder, TrainingState
from spring.training.descent import Descent
from spring.training.examples import Examples
from spring.training.loss import Example, dev_scores
from spring.training.prefix_states import PrefixStates
from spring.training.settings import TrainingSettings

STATES_FOLDER = "prefix-states"  # in the run's folder: keys and values of passages that come again


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The tokens of a finished run, and how they did on the dev questions."""

    tokens: Tensor  # (n, hidden) float32
    steps: int  # of the whole run
    step: int  # after which the tokens were taken
    dev_exact_match: float | None  # None without dev questions
    dev_loss: float | None


def learn(
    backbones: Sequence[Backbone],
    examples: Examples,
    initial: VirtualTokens,
    settings: TrainingSettings,
    folder: Path,
    dev: Sequence[Example] = (),
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
    watch: Callable[[Path], None] = lambda folder: None,
) -> TrainingResult:
    """Learn virtual tokens from examples.

    Args:
        backbones: one; or several with the same tokenizer and hidden size (full precision and 4 bits, say), which are
            used for the samples in rotation, so that the tokens suit all of them.
        examples: the samples.
        initial: the values to start from (`spring.training.initializers`).
        settings: length, batch size and learning rate.
        folder: for the log (log.csv) and the newest checkpoint; created if missing.
        dev: examples to evaluate on, never learned from (`Examples.dev_example`). The tokens that do best on them are
            the result; without any, those after the last step.
        resume: continue from the newest checkpoint in the folder, if there is one.
        report: takes progress messages, one line each.
        watch: is called with the folder after each evaluation on dev, and when the run ends or breaks off.

    Raises:
        PromptError: a setting is out of range, the checkpoint belongs to another run, or a gradient is not finite.
        BackboneError: a backbone scales or caps its logits.
        OSError: the folder cannot be written.

    """
    return _Run(backbones, examples, initial, settings, folder, dev, report, watch).train(resume)


class _Run:
    def __init__(
        self,
        backbones: Sequence[Backbone],
        examples: Examples,
        initial: VirtualTokens,
        settings: TrainingSettings,
        folder: Path,
        dev: Sequence[Example],
        report: Callable[[str], None],
        watch: Callable[[Path], None],
    ) -> None:
        for backbone in backbones:
            initial.require(backbone.name, backbone.hidden)
            require_one_set_of_weights(backbone)
            require_plain_logits(backbone)
            prepare_attention(backbone)
            if examples.settings.draws:
                require_one_device(backbone)
        self.backbones, self.examples, self.settings, self.dev = backbones, examples, settings, dev
        self.initial, self.report = initial.embeddings, report
        self.watch = watch
        self.steps = settings.steps(len(examples.questions))
        stored = folder / STATES_FOLDER if examples.settings.draws else None
        states = [PrefixStates(backbone, stored) for backbone in backbones]
        self.descent = Descent(states, initial.embeddings, settings)
        self.accelerator = self.descent.accelerator
        self.state = TrainingState(self.descent.tokens)
        self.accelerator.register_for_checkpointing(self.state)
        self.folder = RunFolder(folder, self.accelerator)

    def train(self, resume: bool) -> TrainingResult:
        state, main = self.state, self.accelerator.is_main_process
        self.folder.claim(self._identity(), resume)
        if self.folder.load():
            self.report(f"Continuing after step {state.step} of {self.steps}.")
        elif resume:
            self.report("There is no checkpoint yet: the run starts at its first step.")
        self.folder.start_log(state.step)
        self._report_length()
        with tqdm(total=self.steps, initial=state.step, unit="step", disable=not main) as bar, self._watched():
            for row in self._steps():
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()
                self.folder.log(row)
                if main and "dev_loss" in row and state.step < self.steps:
                    self.watch(self.folder.path)
        if main:  # of no use to another run
            shutil.rmtree(self.folder.path / STATES_FOLDER, ignore_errors=True)
        kept = state.best if self.dev else state.average
        measured = (state.best_match, state.best_loss) if self.dev else (None, None)
        step = state.best_step if self.dev else self.steps
        return TrainingResult(kept.detach().float().cpu().clone(), self.steps, step, *measured)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Let the run be looked at when it is over, however it ends."""
        try:
            yield
        finally:
            if self.accelerator.is_main_process:
                self.watch(self.folder.path)

    def _report_length(self) -> None:
        """Report the number of steps, and warn if they are too few to move the tokens.

        In a step of Adam a value changes by about the learning rate at most (https://arxiv.org/abs/1412.6980, 2.1).
        """
        settings = self.settings
        self.report(f"{self.steps:,} steps of {settings.samples_per_step} samples.")
        reach = settings.learning_rate * self.steps
        size = float(self.initial.float().square().mean().sqrt())
        if reach < size:
            self.report(
                f"These are few steps: the values of the tokens are about {size:.2g} and change by {reach:.1g} at "
                "most. Choose a higher --learning-rate, more --epochs, or less --gradient-accumulation."
            )

    def _identity(self) -> dict[str, Any]:
        """What a resumed run must have in common with the interrupted one."""
        backbones = [f"{backbone.name}, {backbone.precision}" for backbone in self.backbones]
        run = {"backbones": backbones, "questions": len(self.examples.questions), "dev": len(self.dev)}
        data = hashlib.sha256(f"{self.examples.fingerprint} {self.dev}".encode())
        data.update(self.initial.numpy().tobytes())
        return run | {"data": data.hexdigest()} | asdict(self.settings) | asdict(self.examples.settings)

    def _steps(self) -> Iterator[dict[str, Any]]:
        """Run the remaining steps; yield a row of the log after each, and report how fast they were."""
        first, on_a_card = self.state.step, self.accelerator.device.type != "cpu"
        batches = Batches(self.examples, self.settings, (first, self.steps), self.descent.process, ahead=on_a_card)
        seconds, waited, started = 0.0, 0.0, time.perf_counter()
        for step in self.descent.steps(batches, self.steps):
            row = asdict(step) | self._after_step()
            row |= {"step": self.state.step, "seconds": time.perf_counter() - started}
            yield row | {"waited": batches.waited - waited}
            seconds, waited, started = seconds + row["seconds"], batches.waited, time.perf_counter()
        if seconds and self.accelerator.is_main_process:
            self.report(
                f"{(self.steps - first) / seconds:.3g} steps a second; "
                f"{waited / seconds:.1%} of the time went by waiting for samples to be drawn and encoded."
            )

    def _after_step(self) -> dict[str, Any]:
        """Update the average; evaluate and save if due."""
        state, settings = self.state, self.settings
        state.step += 1
        decay = min(settings.average, state.step / (state.step + 9))  # the initial values soon stop counting
        state.average.lerp_(self.descent.tokens.detach(), 1 - decay)
        last = state.step == self.steps
        measured: dict[str, Any] = {}
        if self.dev and (last or state.step % settings.evaluate_every == 0):
            measured = self._evaluate_dev()
        if last or state.step % settings.save_every == 0:
            self.folder.save()
        return measured

    def _evaluate_dev(self) -> dict[str, Any]:
        """Score the average on the dev examples, in every process alike; keep it if it is the best so far."""
        state = self.state
        loss, match = dev_scores(PrefixStates(self.backbones[0]), state.average, self.dev)
        if (match, -loss) > (state.best_match, -state.best_loss):
            state.best_match, state.best_loss, state.best_step = match, loss, state.step
            state.best = state.average.clone()
        return {"dev_loss": loss, "dev_exact_match": match}
