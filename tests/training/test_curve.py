"""The curve of a run: the same file however often the run was interrupted, and nothing in it but the run."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spring.models.backbone import Backbone
from spring.training.checkpoints import LOG_COLUMNS
from spring.training.curve import CURVE, MOST_POINTS, write_curve
from spring.training.settings import TrainingSettings
from spring.training.trainer import learn
from tests.training.test_training import QUESTIONS, SETTINGS, Interrupted, examples, one_thread

assert one_thread  # sums in the same order here too
HOSTILE = "<script>alert(1)</script>{{ 7 * 7 }}"


def run(backbone: Backbone, folder: Path, resume: bool = False, **watch: Callable[[Path], None]) -> None:
    drawn = examples(backbone)
    dev = [drawn.dev_example(question, 2, (1, 50)) for question in QUESTIONS[:2]]
    learn([backbone], drawn, backbone.initial_virtual_tokens(), SETTINGS, folder, dev, resume, **watch)


def test_interrupted_and_resumed_it_is_the_same_file(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_llama, tmp_path / "whole")
    write_curve(tmp_path / "whole")
    with monkeypatch.context() as patch:
        original = TrainingSettings.rate

        def rate(self: TrainingSettings, step: int, steps: int) -> float:
            if step == 3:
                raise Interrupted
            return original(self, step, steps)

        patch.setattr(TrainingSettings, "rate", rate)
        with pytest.raises(Interrupted):
            run(tiny_llama, tmp_path / "cut", watch=write_curve)
    assert "<p>3 steps." in (tmp_path / "cut" / CURVE).read_text()  # it can be looked at meanwhile
    run(tiny_llama, tmp_path / "cut", resume=True, watch=write_curve)
    whole = (tmp_path / "whole" / CURVE).read_bytes()
    assert (tmp_path / "cut" / CURVE).read_bytes() == whole
    assert whole.count(b"<tr><td>") == 3  # the evaluations on dev


def folder_of(folder: Path, steps: int) -> Path:
    """A run's folder with a log of so many steps."""
    (folder / "run.json").write_text(json.dumps({"backbones": [HOSTILE], HOSTILE: 1}))
    with (folder / "log.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, LOG_COLUMNS)
        writer.writeheader()
        writer.writerows({"step": step, "loss": 1 / step, "learning_rate": 1e-4} for step in range(1, steps + 1))
    return folder


def test_a_long_run_is_drawn_with_few_points_and_what_it_says_is_text(tmp_path: Path) -> None:
    write_curve(folder_of(tmp_path, 3 * MOST_POINTS))
    page = (tmp_path / CURVE).read_text()
    assert "Each point of the loss and of the rate is the mean of 3 steps." in page
    assert len(page) < 100_000
    assert "<script" not in page
    assert "49" not in page.partition("<dl>")[2]
    assert "default-src 'none'" in page


def test_before_the_first_step_there_is_nothing_to_draw(tmp_path: Path) -> None:
    write_curve(folder_of(tmp_path, 0))
    assert not (tmp_path / CURVE).exists()
