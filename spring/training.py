"""Learn virtual tokens: everything frozen but the (n, hidden) matrix (paper, section 3.3).

The loop runs on accelerate, so `accelerate launch -m spring train ...` spreads it over processes: every process
takes its share of each batch, and the tokens come out the same, to rounding.
"""

import csv
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, GradientAccumulationPlugin
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from spring.backbone import Backbone
from spring.errors import PromptError
from spring.examples import Examples
from spring.loss import Example, greedy_matches, losses
from spring.schedule import TrainingSettings
from spring.virtual_tokens import VirtualTokens

LOG_COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "seconds", "dev_loss", "dev_exact_match")


class _Learner(nn.Module):
    """The matrix that is learned. The backbones are no submodules: nothing of them is wrapped, synced or saved."""

    def __init__(self, backbones: Sequence[Backbone], initial: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(initial.detach().clone())
        self._backbones = tuple(backbones)

    def forward(self, examples: Sequence[Example], which: int) -> Tensor:
        return losses(self._backbones[which % len(self._backbones)], self.tokens, examples).mean()


class _State:
    """What a checkpoint holds besides tokens, optimizer and random states."""

    def __init__(self, tokens: Tensor) -> None:
        self.step = 0
        self.average = tokens.detach().clone()
        self.best = self.average.clone()
        self.best_match, self.best_loss, self.best_step = -1.0, math.inf, 0

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a training run."""

    tokens: Tensor  # (n, hidden)
    steps: int
    step: int  # the one whose tokens these are
    dev_exact_match: float | None  # of the dev questions looked at; None without any
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
) -> Learned:
    """Learn tokens from examples; those that do best on `dev` are kept, else the last ones.

    Args:
        backbones: one; or several with the same tokenizer and width (full precision and 4 bits, say), which take
            the batches in turns, so that the tokens suit all of them.
        examples: the samples.
        initial: where the tokens start.
        settings: how long and how fast.
        folder: for the log (`log.csv`) and the newest checkpoint; made if it is not there.
        dev: examples to measure with, never learned from.
        resume: go on from the newest checkpoint in the folder, if there is one.
        report: takes a line now and then.

    Raises:
        PromptError: a setting is out of range, or the checkpoint is of another run.

    """
    return _Run(backbones, examples, initial, settings, folder, dev, report).go(resume)


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
    ) -> None:
        for backbone in backbones:
            initial.require(backbone.name, backbone.hidden)
            prepare(backbone)
        self.backbones, self.examples, self.settings, self.dev = backbones, examples, settings, dev
        self.folder, self.report = folder, report
        self.steps = settings.steps(len(examples.questions))
        self.accelerator = Accelerator(
            cpu=backbones[0].model.device.type == "cpu",
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=settings.gradient_accumulation, sync_with_dataloader=False
            ),
            dataloader_config=DataLoaderConfiguration(split_batches=True),
        )
        if settings.batch_size % self.accelerator.num_processes:
            raise PromptError(
                f"A batch of {settings.batch_size} cannot be shared among {self.accelerator.num_processes} processes."
            )
        learner = _Learner(backbones, initial.embeddings.to(backbones[0].model.device))
        optimizer = torch.optim.AdamW([learner.tokens], settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
        self.state = _State(learner.tokens)
        self.learner, self.optimizer = self.accelerator.prepare(learner, optimizer)
        self.accelerator.register_for_checkpointing(self.state)

    @property
    def tokens(self) -> nn.Parameter:
        """The matrix that is learned, whatever it is wrapped in."""
        learner: _Learner = self.accelerator.unwrap_model(self.learner)
        return learner.tokens

    def go(self, resume: bool) -> Learned:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_run(resume)
        if resume and self._checkpoint.is_dir():
            self.accelerator.load_state(str(self._checkpoint))
            self.report(f"Going on after step {self.state.step} of {self.steps}.")
        log = _Log(self.folder / "log.csv", self.state.step) if self.accelerator.is_main_process else None
        with tqdm(
            total=self.steps, initial=self.state.step, unit="step", disable=not self.accelerator.is_main_process
        ) as bar:
            for row in self._train():
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()
                if log:
                    log.append(row)
        state = self.state
        kept = state.best if self.dev else state.average if self.settings.average else self.tokens
        measured = (state.best_match, state.best_loss) if self.dev else (None, None)
        step = state.best_step if self.dev else self.steps
        return Learned(kept.detach().float().cpu().clone(), self.steps, step, *measured)

    def _train(self) -> Iterator[dict[str, Any]]:
        """One step after the other; yields a row of the log for each."""
        started, total = time.perf_counter(), 0.0
        for count, batch in enumerate(self._batches(), start=1):
            with self.accelerator.accumulate(self.learner):
                loss = self.learner(batch, count - 1)
                self.accelerator.backward(loss)
                total += loss.item() / self.settings.gradient_accumulation
                if not self.accelerator.sync_gradients:
                    continue
                rate = self.settings.rate(self.state.step, self.steps)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                norm = self.accelerator.clip_grad_norm_(self.learner.parameters(), self.settings.clip)
                self.optimizer.step()
                self.optimizer.zero_grad()
            row = {"step": self.state.step + 1, "loss": self._mean(total), "learning_rate": rate}
            row |= {"gradient_norm": float(norm)} | self._after_step()
            yield row | {"seconds": time.perf_counter() - started}
            started, total = time.perf_counter(), 0.0

    def _after_step(self) -> dict[str, Any]:
        """Average, measure and save, as it is due."""
        state, settings = self.state, self.settings
        state.step += 1
        decay = min(settings.average, state.step / (state.step + 9))  # the first values soon count no more
        state.average.lerp_(self.tokens.detach(), 1 - decay)
        last = state.step == self.steps
        measured: dict[str, Any] = {}
        if self.dev and (last or state.step % settings.evaluate_every == 0):
            measured = self._look_at_dev()
        if last or state.step % settings.save_every == 0:
            self._save()
        return measured

    def _look_at_dev(self) -> dict[str, Any]:
        """Measure the average on the dev examples, every process the same; keep it if it is the best so far."""
        state = self.state
        loss, match = dev_scores(self.backbones[0], state.average, self.dev)
        if (match, -loss) > (state.best_match, -state.best_loss):
            state.best_match, state.best_loss, state.best_step = match, loss, state.step
            state.best = state.average.clone()
        return {"dev_loss": loss, "dev_exact_match": match}

    def _batches(self) -> Any:
        """What is left of the run's batches; those of a step have samples of like length, which saves padding."""
        size, order = self.settings.samples_per_step, list[int]()
        for start in range(self.state.step * size, self.steps * size, size):
            order += sorted(range(start, start + size), key=lambda number: (self.examples.length(number), number))
        loader: DataLoader[Example] = DataLoader(
            self.examples,  # type: ignore[arg-type]  # it has what a map-style dataset needs
            self.settings.batch_size,
            sampler=order,
            collate_fn=list,
        )
        return self.accelerator.prepare(loader)

    def _mean(self, value: float) -> float:
        """The mean over processes."""
        mean: Tensor = self.accelerator.reduce(torch.tensor(value, device=self.accelerator.device), "mean")
        return float(mean)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    def _save(self) -> None:
        """Write a checkpoint beside the old one, then take its place: an interruption leaves one of them whole."""
        new, old = self.folder / "checkpoint.new", self.folder / "checkpoint.old"
        if self.accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(new))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(old, ignore_errors=True)
            if self._checkpoint.is_dir():
                self._checkpoint.rename(old)
            new.rename(self._checkpoint)
            shutil.rmtree(old, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def _check_run(self, resume: bool) -> None:
        """Refuse to go on with other settings, or to start where another run is."""
        path = self.folder / "run.json"
        run = json.dumps({**asdict(self.settings), **asdict(self.examples.draw), "steps": self.steps}, indent=1)
        old = self.folder / "checkpoint.old"
        if self.accelerator.is_main_process and old.is_dir() and not self._checkpoint.is_dir():
            old.rename(self._checkpoint)
        self.accelerator.wait_for_everyone()
        if resume and path.is_file() and path.read_text() != run:
            raise PromptError(f"The run in {self.folder} has other settings: resume it with those of its run.json.")
        if not resume and self._checkpoint.is_dir():
            raise PromptError(f"There is a run in {self.folder} already: give --resume, or another --output.")
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            path.write_text(run)


class _Log:
    """log.csv: one row for each step; rows after the checkpoint that a run goes on from are dropped."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        rows: list[Mapping[str, Any]] = []
        if path.is_file() and step:
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if (row["step"] or "0").isdecimal()]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in rows if int(row["step"] or 0) <= step)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        rounded = {key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()}
        rounded["learning_rate"] = row["learning_rate"]
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, LOG_COLUMNS).writerow(rounded)


def dev_scores(backbone: Backbone, tokens: Tensor, dev: Sequence[Example], batch_size: int = 2) -> tuple[float, float]:
    """Mean loss, and share of (question, k) whose greedy answer is exactly one of the golden ones.

    An example holds all golden answers of a question for each k; the one with the least loss counts.
    """
    losses_, matches = [], []
    for start in range(0, len(dev), batch_size):
        batch = dev[start : start + batch_size]
        loss, matched = greedy_matches(backbone, tokens, batch)
        targets = [(place, target.virtual_tokens) for place, example in enumerate(batch) for target in example.targets]
        for group in dict.fromkeys(targets):
            mine = [i for i, target in enumerate(targets) if target == group]
            losses_.append(min(float(loss[i]) for i in mine))
            matches.append(float(any(bool(matched[i]) for i in mine)))
    return sum(losses_) / len(losses_), sum(matches) / len(matches)


def prepare(backbone: Backbone) -> None:
    """Choose how a backbone attends while it is learned through.

    On a CPU the backward pass of fused attention takes thrice as long as that of its parts.
    """
    if backbone.model.device.type == "cpu":
        backbone.model.set_attn_implementation("eager")
