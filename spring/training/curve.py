"""The curve of a run, curve.html: loss, learning rate and dev exact match over the steps, drawn from log.csv.

What log.csv says of the steps is the same whether a run was interrupted or not, and so is the page; times are left out.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from spring.evaluation.drawing import drawing

CURVE = "curve.html"
MOST_POINTS = 400  # of a line; of longer runs, each is the mean of several steps
Row = Mapping[str, str]


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return find_spec("matplotlib") is not None


def write_curve(folder: Path) -> None:
    """Draw the log of a run's folder into its curve.html; nothing before the first step.

    Raises:
        OSError: the folder cannot be read or written.

    """
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    page = _page(rows, json.loads((folder / "run.json").read_text()))
    new = folder / f"{CURVE}.new"  # who looks at it while it is written sees the old one
    new.write_text(page, encoding="utf-8")
    new.replace(folder / CURVE)


def _page(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    points = -(-len(rows) // MOST_POINTS)
    dev = [row for row in rows if row["dev_exact_match"]]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name(CURVE).read_text(encoding="utf-8"))
    svg = drawing((8, 7 if dev else 5), "Loss and rate over the steps", lambda figure: _draw(figure, rows, dev, points))
    return template.render(steps=len(rows), points=points, dev=dev, facts=facts, curve=Markup(svg))


def _draw(figure: Any, rows: Sequence[Row], dev: Sequence[Row], points: int) -> None:
    axes = figure.subplots(3 if dev else 2, sharex=True)
    parts = [rows[start : start + points] for start in range(0, len(rows), points)]
    for place, name, colour in ((0, "loss", "#d97706"), (1, "learning_rate", "#6b7280")):
        means = [sum(float(row[name]) for row in part) / len(part) for part in parts]
        axes[place].plot([int(part[-1]["step"]) for part in parts], means, color=colour)
        axes[place].set_ylabel(name.replace("_", " "))
        axes[place].set_ylim(bottom=0)
    if dev:
        matches = [float(row["dev_exact_match"]) for row in dev]
        axes[2].plot([int(row["step"]) for row in dev], matches, color="#10b981", marker="o")
        axes[2].set(ylabel="dev exact match", ylim=(0, 1))
    axes[-1].set_xlabel("step")
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
