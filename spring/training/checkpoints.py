"""The folder of a training run: its description, its log, and the newest checkpoint."""

import csv
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import Tensor

from spring.errors import PromptError

# `waited` are those of the seconds in which a step waited until its samples were drawn and encoded.
LOG_COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "seconds", "waited", "dev_loss", "dev_exact_match")


class TrainingState:
    """What a checkpoint holds besides the tokens, the optimizer and the random states."""

    def __init__(self, tokens: Tensor) -> None:
        self.step = 0  # steps done
        self.average = tokens.detach().clone()  # moving average of the tokens, (n, hidden)
        self.best = self.average.clone()  # the average that did best on the dev questions
        self.best_match, self.best_loss, self.best_step = -1.0, math.inf, 0

    def state_dict(self) -> dict[str, Any]:
        """Return the values to save; accelerate calls this."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over saved values; accelerate calls this, with tensors on the CPU."""
        device = self.average.device
        vars(self).update(state, average=state["average"].to(device), best=state["best"].to(device))


class RunFolder:
    """The files run.json, log.csv and checkpoint/ of one run.

    Every process of a run has a RunFolder; only the main process writes.
    """

    def __init__(self, path: Path, accelerator: Accelerator) -> None:
        self.path, self.accelerator = path, accelerator
        self._checkpoint, self._old = path / "checkpoint", path / "checkpoint.old"

    def claim(self, run: Mapping[str, Any], resume: bool) -> None:
        """Create the folder, or check that it belongs to this run.

        Args:
            run: what describes the run; written to run.json.
            resume: whether a checkpoint in the folder is to be continued.

        Raises:
            PromptError: the folder belongs to another run, or to this one and `resume` is False.

        """
        description, file = json.dumps(run, indent=1), self.path / "run.json"
        if self.accelerator.is_main_process:
            self.path.mkdir(parents=True, exist_ok=True)
            if self._old.is_dir() and not self._checkpoint.is_dir():  # killed between the two renames of `save`
                self._old.rename(self._checkpoint)
        self.accelerator.wait_for_everyone()
        if resume and file.is_file() and file.read_text() != description:
            raise PromptError(
                f"The run in {self.path} has other data, initial values or settings: resume it with those it had, or "
                "choose another --output."
            )
        if not resume and self._checkpoint.is_dir():
            raise PromptError(f"There is already a run in {self.path}: give --resume, or another --output.")
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process and not (file.is_file() and file.read_text() == description):
            new = file.with_suffix(".new")  # if the disk is full, the old file stays whole
            new.write_text(description)
            new.replace(file)

    def load(self) -> bool:
        """Restore the newest checkpoint; return whether there is one."""
        if not self._checkpoint.is_dir():
            return False
        self.accelerator.load_state(str(self._checkpoint))
        return True

    def save(self) -> None:
        """Write a checkpoint beside the old one, then replace it: after an interruption one of them is whole.

        Raises:
            OSError: the disk is full, for example.

        """
        new = self.path / "checkpoint.new"
        if self.accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            self.accelerator.save_state(str(new))
        except RuntimeError as error:  # raised by torch.save on a full disk
            raise OSError(str(error)) from error
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            shutil.rmtree(self._old, ignore_errors=True)
            if self._checkpoint.is_dir():
                self._checkpoint.rename(self._old)
            new.rename(self._checkpoint)
            shutil.rmtree(self._old, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def start_log(self, step: int) -> None:
        """Create log.csv, or truncate it after a step: later rows are newer than the checkpoint."""
        if not self.accelerator.is_main_process:
            return
        path, rows = self.path / "log.csv", list[dict[str, str]]()
        if step and path.is_file():
            with path.open(newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append the row of a step to log.csv."""
        if self.accelerator.is_main_process:
            shown = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()}
            with (self.path / "log.csv").open("a", newline="") as file:
                csv.DictWriter(file, LOG_COLUMNS).writerow(shown)
