"""The folder of a training run: its settings, its log, and the newest checkpoint."""

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from spring.errors import PromptError

LOG_COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "seconds", "dev_loss", "dev_exact_match")


class RunFolder:
    """run.json, log.csv and checkpoint/. Every process of a run has one; the main process alone writes."""

    def __init__(self, path: Path, accelerator: Accelerator) -> None:
        self.path, self.accelerator = path, accelerator
        self._checkpoint, self._old = path / "checkpoint", path / "checkpoint.old"

    def claim(self, run: Mapping[str, Any], resume: bool) -> None:
        """Make the folder this run's.

        Raises:
            PromptError: it is another run's, or this one's and it should not be resumed.

        """
        described, file = json.dumps(run, indent=1), self.path / "run.json"
        if self.accelerator.is_main_process:
            self.path.mkdir(parents=True, exist_ok=True)
            if self._old.is_dir() and not self._checkpoint.is_dir():  # killed between the two renames of `save`
                self._old.rename(self._checkpoint)
        self.accelerator.wait_for_everyone()
        if resume and file.is_file() and file.read_text() != described:
            raise PromptError(
                f"The run in {self.path} is another one: resume it with the data, tokens and settings it had, or "
                "choose another --output."
            )
        if not resume and self._checkpoint.is_dir():
            raise PromptError(f"There is a run in {self.path} already: give --resume, or another --output.")
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process and not (file.is_file() and file.read_text() == described):
            new = file.with_suffix(".new")  # where the disk is full, what is there stays
            new.write_text(described)
            new.replace(file)

    def load(self) -> bool:
        """Take over the newest checkpoint; whether there is one."""
        if not self._checkpoint.is_dir():
            return False
        self.accelerator.load_state(str(self._checkpoint))
        return True

    def save(self) -> None:
        """Write a checkpoint beside the old one, then take its place: an interruption leaves one of them whole."""
        new = self.path / "checkpoint.new"
        if self.accelerator.is_main_process:
            shutil.rmtree(new, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        try:
            self.accelerator.save_state(str(new))
        except RuntimeError as error:  # what torch.save makes of a full disk
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
        """Begin log.csv, or go on with it after a step: what was written later than the checkpoint is dropped."""
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
        """Add a step's row to log.csv."""
        if self.accelerator.is_main_process:
            shown = {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()}
            with (self.path / "log.csv").open("a", newline="") as file:
                csv.DictWriter(file, LOG_COLUMNS).writerow(shown)
