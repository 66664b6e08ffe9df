"""Learn virtual tokens: everything frozen but the (n, hidden) matrix (paper, section 3.3).

The loop runs on accelerate, so `accelerate launch -m spring train ...` spreads it over processes: every process
takes its share of each batch, and the tokens come out the same, to rounding.
"""

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, GradientAccumulationPlugin
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler
from tqdm import tqdm

from spring.errors import BackboneError, PromptError
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.training.checkpoints import RunFolder
from spring.training.examples import Examples
from spring.training.loss import Example, dev_scores, losses
from spring.training.prefix_states import PrefixStates
from spring.training.settings import TrainingSettings

READ = "read"  # in the run's folder: what the backbones read, where the same passages come again


class _Learner(nn.Module):
    """The matrix that is learned. The backbones are no submodules: nothing of them is wrapped, synced or saved."""

    def __init__(self, readers: Sequence[PrefixStates], initial: Tensor) -> None:
        super().__init__()
        self.tokens = nn.Parameter(initial.detach().clone())
        self._readers = tuple(readers)

    def forward(self, examples: Sequence[Example]) -> Tensor:
        found = []
        for place, reader in enumerate(self._readers):
            if mine := [example for example in examples if example.turn % len(self._readers) == place]:
                found.append(losses(reader, self.tokens, mine))
        return torch.cat(found).mean()


class _Order(Sampler[int]):
    """Numbers of the samples of the steps `first` to `last`, looked up step by step as they are needed.

    Within a step, samples with passages of like length follow each other, which saves padding.
    """

    def __init__(self, examples: Examples, samples_per_step: int, first: int, last: int) -> None:
        self.examples, self.size, self.first, self.last = examples, samples_per_step, first, last

    def __len__(self) -> int:
        return (self.last - self.first) * self.size

    def __iter__(self) -> Iterator[int]:
        for start in range(self.first * self.size, self.last * self.size, self.size):
            yield from sorted(
                range(start, start + self.size), key=lambda number: (self.examples.length(number), number)
            )


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
        device = self.average.device  # accelerate loads to the CPU
        vars(self).update(state, average=state["average"].to(device), best=state["best"].to(device))


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
            the samples in turns, so that the tokens suit all of them.
        examples: the samples.
        initial: where the tokens start.
        settings: how long and how fast.
        folder: for the log (`log.csv`) and the newest checkpoint; made if it is not there.
        dev: examples to measure with, never learned from.
        resume: go on from the newest checkpoint in the folder, if there is one.
        report: takes a line now and then.

    Raises:
        PromptError: a setting is out of range, the checkpoint is of another run, or a gradient is not finite.
        BackboneError: a backbone scales or caps its logits.

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
            _require_plain_logits(backbone)
            prepare(backbone)
            if examples.draw.draws and len(set(getattr(backbone.model, "hf_device_map", {}).values())) > 1:
                raise PromptError(
                    f"{backbone.name} is spread over several GPUs, and what those have read cannot be kept: "
                    "leave --draws out."
                )
        self.backbones, self.examples, self.settings, self.dev = backbones, examples, settings, dev
        self.initial, self.report = initial.embeddings, report
        self.steps = settings.steps(len(examples.questions))
        self.accelerator = Accelerator(
            cpu=backbones[0].model.device.type == "cpu",
            mixed_precision="no",  # the backbone's precision is the one asked for, whatever `accelerate config` says
            gradient_accumulation_plugin=GradientAccumulationPlugin(
                num_steps=settings.gradient_accumulation, sync_with_dataloader=False
            ),
            dataloader_config=DataLoaderConfiguration(split_batches=True),
        )
        if settings.batch_size % self.accelerator.num_processes:
            raise PromptError(
                f"A batch of {settings.batch_size} cannot be shared among {self.accelerator.num_processes} processes."
            )
        readers = [PrefixStates(backbone, folder / READ if examples.draw.draws else None) for backbone in backbones]
        learner = _Learner(readers, initial.embeddings.to(backbones[0].model.device))
        optimizer = torch.optim.AdamW([learner.tokens], settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
        self.state = _State(learner.tokens)
        self.learner, self.optimizer = self.accelerator.prepare(learner, optimizer)
        self.accelerator.register_for_checkpointing(self.state)
        self.folder = RunFolder(folder, self.accelerator)

    @property
    def tokens(self) -> nn.Parameter:
        """The matrix that is learned, whatever it is wrapped in."""
        learner: _Learner = self.accelerator.unwrap_model(self.learner)
        return learner.tokens

    def go(self, resume: bool) -> Learned:
        state, main = self.state, self.accelerator.is_main_process
        self.folder.claim(self._identity(), resume)
        if self.folder.load():
            self.report(f"Going on after step {state.step} of {self.steps}.")
        elif resume:
            self.report("There is no checkpoint yet: this run starts with its first step.")
        self.folder.start_log(state.step)
        self._tell_how_far()
        with tqdm(total=self.steps, initial=state.step, unit="step", disable=not main) as bar:
            for row in self._train():
                bar.set_postfix(loss=f"{row['loss']:.3f}", refresh=False)
                bar.update()
                self.folder.log(row)
        if main:  # what was read is of no use to another run
            shutil.rmtree(self.folder.path / READ, ignore_errors=True)
        kept = state.best if self.dev else state.average
        measured = (state.best_match, state.best_loss) if self.dev else (None, None)
        step = state.best_step if self.dev else self.steps
        return Learned(kept.detach().float().cpu().clone(), self.steps, step, *measured)

    def _tell_how_far(self) -> None:
        """Say how many steps there are, and warn where they are too few to move the tokens.

        In a step of Adam a number moves by about the learning rate at most (https://arxiv.org/abs/1412.6980, 2.1).
        """
        settings = self.settings
        self.report(f"{self.steps:,} steps of {settings.samples_per_step} samples.")
        far = settings.learning_rate * self.steps
        size = float(self.initial.float().square().mean().sqrt())
        if far < size:
            self.report(
                f"These are few: the numbers of the tokens, some {size:.2g} large, move by {far:.1g} at most. Choose a "
                "higher --learning-rate, more --epochs, or less --gradient-accumulation."
            )

    def _identity(self) -> dict[str, Any]:
        """What a run that is resumed must have in common with the interrupted one."""
        backbones = [f"{backbone.name}, {backbone.precision}" for backbone in self.backbones]
        run = {"backbones": backbones, "questions": len(self.examples.questions), "dev": len(self.dev)}
        data = hashlib.sha256(f"{self.examples.fingerprint} {self.dev}".encode())
        data.update(self.initial.numpy().tobytes())
        return run | {"data": data.hexdigest()} | asdict(self.settings) | asdict(self.examples.draw)

    def _train(self) -> Iterator[dict[str, Any]]:
        """One step after the other; yields a row of the log for each."""
        started, total = time.perf_counter(), 0.0
        for batch in self._batches():
            with self.accelerator.accumulate(self.learner):
                loss = self.learner(batch)
                self.accelerator.backward(loss)
                total += loss.item() / self.settings.gradient_accumulation
                if not self.accelerator.sync_gradients:
                    continue
                rate = self.settings.rate(self.state.step, self.steps)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                norm = float(self.accelerator.clip_grad_norm_(self.learner.parameters(), self.settings.clip))
                if not math.isfinite(norm):  # a step with it would spoil the tokens, and then the checkpoint
                    raise PromptError(
                        f"The gradient of step {self.state.step + 1} is not finite: choose a smaller --learning-rate, "
                        "or --precision fp32."
                    )
                self.optimizer.step()
                self.optimizer.zero_grad()
            row = {"step": self.state.step + 1, "loss": self._mean(total), "learning_rate": rate}
            row |= {"gradient_norm": norm} | self._after_step()
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
            self.folder.save()
        return measured

    def _look_at_dev(self) -> dict[str, Any]:
        """Measure the average on the dev examples, every process the same; keep it if it is the best so far."""
        state = self.state
        loss, match = dev_scores(PrefixStates(self.backbones[0]), state.average, self.dev)
        if (match, -loss) > (state.best_match, -state.best_loss):
            state.best_match, state.best_loss, state.best_step = match, loss, state.step
            state.best = state.average.clone()
        return {"dev_loss": loss, "dev_exact_match": match}

    def _batches(self) -> Any:
        """What is left of the run's batches."""
        loader: DataLoader[Example] = DataLoader(
            self.examples,  # type: ignore[arg-type]  # it has what a map-style dataset needs
            self.settings.batch_size,
            sampler=_Order(self.examples, self.settings.samples_per_step, self.state.step, self.steps),
            collate_fn=list,
        )
        return self.accelerator.prepare(loader)

    def _mean(self, value: float) -> float:
        """The mean over processes."""
        mean: Tensor = self.accelerator.reduce(torch.tensor(value, device=self.accelerator.device), "mean")
        return float(mean)


def prepare(backbone: Backbone) -> None:
    """Choose how a backbone attends while it is learned through.

    On a CPU the backward pass of fused attention takes thrice as long as that of its parts.
    """
    if backbone.model.device.type == "cpu":
        backbone.model.set_attn_implementation("eager")


@torch.no_grad()
def _require_plain_logits(backbone: Backbone) -> None:
    """Refuse a backbone whose logits are not those of its output layer, which are all that the loss knows.

    Raises:
        BackboneError: it scales or caps them, as Granite, Cohere and Gemma 2 do.

    """
    model = backbone.model
    ids = torch.tensor([[backbone.end_id]], device=model.device)
    logits = model.get_output_embeddings()(model.base_model(input_ids=ids).last_hidden_state)
    if not torch.allclose(model(input_ids=ids).logits.to(logits), logits, rtol=1e-2, atol=1e-3):
        raise BackboneError(
            f"{backbone.name} scales or caps its logits, which learning does not know: choose another backbone."
        )
