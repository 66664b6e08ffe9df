"""The results of an evaluation: a CSV file of rows, with which an interrupted run continues, and the final table."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from spring.data.types import Passage
from spring.errors import DocumentError
from spring.evaluation.runner import Row
from spring.evaluation.summary import Interval, Summary
from spring.generation.comparison import ComparisonSettings
from spring.generation.types import BaselineOrNone, Engine
from spring.rag.prompt import BASELINES
from spring.rag.retriever import Retriever

if TYPE_CHECKING:  # it needs torch, and the page uses this module too
    from spring.generation.engine import LocalEngine

COLUMNS = (*Row._fields, "run")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV injection"


def run_name(
    engine: "LocalEngine", passages: Iterable[Passage], settings: ComparisonSettings, retriever: Retriever | None = None
) -> str:
    """A digest of all that an answer depends on besides the question, k and baseline, so that runs do not mix."""
    digest = hashlib.sha256(engine.tokens.embeddings.numpy().tobytes())
    parts = [engine.backbone.name, engine.backbone.precision, settings.passages, settings.decoding.max_new_tokens]
    layout = engine.backbone.tokenization.layout
    parts += [layout] if layout != "training" else []
    digest.update(json.dumps([*parts, settings.decoding.temperature, settings.decoding.seed]).encode())
    for passage in passages:
        digest.update(passage.titled.encode() + b"\0")
    if retriever is not None:
        digest.update(retriever.fingerprint().encode())
    return digest.hexdigest()[:12]


class RowsFile:
    """A CSV file of rows that grows batch by batch."""

    def __init__(self, path: Path, run: str) -> None:
        self.path, self.run = path, run
        self.rows = self._read()

    def _read(self) -> list[Row]:
        """The rows that the file holds already.

        Raises:
            DocumentError: it is another file, or holds rows of another run.

        """
        try:
            text = self.path.read_bytes().decode("utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise DocumentError(f"{self.path} cannot be read as rows of an evaluation; choose another file.") from error
        records = list(csv.reader(io.StringIO(text, newline="")))
        if records and tuple(records[0]) != COLUMNS:
            raise DocumentError(
                f"{self.path} exists and holds no rows of an evaluation by this version; choose another file."
            )
        if records and not text.endswith("\r\n"):
            records.pop()  # the run was cut off while it wrote this row
        good = [record for record in records[1:] if len(record) == len(COLUMNS)]
        if any(record[-1] != self.run for record in good):
            raise DocumentError(
                f"{self.path} holds rows of another run (other tokens, backbone, documents or settings): "
                "choose another file, or delete it."
            )
        try:
            rows = [_row(dict(zip(COLUMNS, record, strict=True))) for record in good]
        except (TypeError, ValueError) as error:
            raise DocumentError(
                f"{self.path} holds a row that no evaluation wrote ({error}); choose another file."
            ) from error
        try:
            if not text:
                self._write(self.path, "w", (), header=True)
            elif len(good) + 1 < len(records) or not text.endswith("\r\n"):
                self._drop_incomplete_row(rows)
            else:
                self._write(self.path, "a", ())  # fails now if it cannot be written
        except OSError as error:
            raise DocumentError(f"{self.path} cannot be written ({error.strerror}).") from error
        return rows

    def _drop_incomplete_row(self, rows: Sequence[Row]) -> None:
        whole = self.path.resolve()
        new = whole.with_name(f"{whole.name}.new")
        self._write(new, "w", rows, header=True)
        new.replace(whole)  # atomic: an interruption loses no row

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of a batch."""
        self.rows += rows
        self._write(self.path, "a", rows)

    def _write(self, path: Path, mode: str, rows: Iterable[Row], header: bool = False) -> None:
        with path.open(mode, encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            if header:
                writer.writerow(COLUMNS)
            writer.writerows([*_cells(row), self.run] for row in rows)


def _cells(row: Row) -> list[Any]:
    return list(row._replace(golden_answers=json.dumps(row.golden_answers, ensure_ascii=False)))  # type: ignore[arg-type]


def _baseline(text: str) -> BaselineOrNone:
    known: tuple[BaselineOrNone, ...] = ("", *BASELINES)
    for baseline in known:
        if text == baseline:
            return baseline
    raise ValueError(f"no baseline {text!r}")


def _row(record: dict[str, str]) -> Row:
    return Row(
        record["id"],
        record["question"],
        int(record["virtual_tokens"]),
        record["answer"],
        tuple(json.loads(record["golden_answers"])),
        float(record["exact_match"]),
        float(record["f1"]),
        float(record["contained"]),
        float(record["first_line_exact_match"]),
        _baseline(record["baseline"]),
        float(record["seconds"]),
    )


def safe_csv(rows: Iterable[Row]) -> str:
    """Rows as CSV for a spreadsheet; a cell that it would take for a formula gets a leading quotation mark."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(Row._fields)
    writer.writerows(defused(_cells(row)) for row in rows)
    return out.getvalue()


def defused(cells: Iterable[Any]) -> list[Any]:
    """Cells of a row, where those that a spreadsheet would take for a formula get a leading quotation mark."""
    return [f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell for cell in cells]


def as_json(
    summaries: Sequence[Summary], engine: Engine, settings: ComparisonSettings, failed: Sequence[str]
) -> dict[str, Any]:
    """The result of an evaluation, as `--json` prints it."""
    return {
        "backbone": engine.backbone.name,
        "precision": engine.backbone.precision,
        "learned": engine.tokens.learned,
        "passages": settings.passages,
        "failed": list(failed),
        "rows": [
            _rounded(asdict(summary) | {"instruction": summary.baseline == "instruction"}) for summary in summaries
        ],
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def as_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """The final table, one row for each k and baseline, with text in every cell."""
    return pd.DataFrame(
        {
            "k": summary.name,
            "n": str(summary.n),
            "exact match": f"{summary.exact_match:.3f}",
            "F1": f"{summary.f1:.3f}",
            "contained": f"{summary.contained:.3f}",
            "first line": f"{summary.first_line_exact_match:.3f}",
            "s/question": f"{summary.seconds:.2f}",
            "EM - EM(k=0), 95 %": _interval(summary.exact_match_gain),
            "F1 - F1(k=0), 95 %": _interval(summary.f1_gain),
        }
        for summary in summaries
    )


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"
