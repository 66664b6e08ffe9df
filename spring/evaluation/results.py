"""The results of an evaluation: a CSV file of rows, with which an interrupted run continues, and the final table.

Beside `rows.csv` lies `rows.csv.run.json`: what the answers depend on (`spring.evaluation.identity`).
"""

import csv
import io
import json
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from spring.errors import DocumentError
from spring.evaluation.identity import Identity, difference, run_name
from spring.evaluation.runner import Row
from spring.evaluation.summary import Interval, Summary
from spring.generation.comparison import ComparisonSettings
from spring.generation.interface import Engine
from spring.generation.types import BaselineOrNone
from spring.rag.prompt import BASELINES

COLUMNS = (*Row._fields, "run")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV injection"


class RowsFile:
    """A CSV file of rows that grows batch by batch, and a file beside it that says of which run they are."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path, self.identity, self.run = path, identity, run_name(identity)
        self.beside = path.with_name(f"{path.name}.run.json")
        self.rows = self._read()
        self._write_identity()

    def _read_identity(self) -> dict[str, str]:
        """What the file beside the rows says; nothing where it is missing or of something else."""
        try:
            value = json.loads(self.beside.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        value = value.get("identity") if isinstance(value, dict) else None
        return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}

    def _write_identity(self) -> None:
        known = self._read_identity() if self.rows else {}
        value = {"run": self.run, "identity": {**known, **self.identity}}
        try:
            self.beside.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise DocumentError(f"{self.beside} cannot be written ({error.strerror}).") from error

    def _require_same_run(self, runs: Iterable[str]) -> None:
        """Refuse rows of another run, and name what differs.

        Args:
            runs: of the rows that are there.

        Raises:
            DocumentError: with the differences.

        """
        runs = {*runs}
        differs = difference(self._read_identity(), self.identity) if runs else ""
        if runs - {self.run} and not differs:
            differs = f"what differs is not known, as {self.beside.name} is missing or of another version"
        if differs:
            raise DocumentError(f"{self.path} holds rows of another run: {differs}; choose another file, or delete it.")

    def _read(self) -> list[Row]:
        """The rows that the file holds already.

        Raises:
            DocumentError: it is another file, or holds rows of another run.

        """
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
            text = getincrementaldecoder("utf-8")().decode(data)  # may have been cut off inside a character
        except (OSError, UnicodeDecodeError) as error:
            raise DocumentError(f"{self.path} cannot be read as rows of an evaluation; choose another file.") from error
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # the whole process's, so it is only ever raised
        records = list(csv.reader(io.StringIO(text, newline="")))
        if records and tuple(records[0]) != COLUMNS:
            raise DocumentError(
                f"{self.path} exists and holds no rows of an evaluation by this version; choose another file."
            )
        if records and not text.endswith("\r\n"):
            records.pop()  # the run was cut off while it wrote this row
        good = [record for record in records[1:] if len(record) == len(COLUMNS)]
        self._require_same_run(record[-1] for record in good)
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
        float(record["passages_contain"]),
        record["set"],
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
        "precision_reason": engine.backbone.precision_reason,
        "learned": engine.tokens.learned,
        "passages": settings.passages,
        "failed": list(failed),
        "rows": rows_as_json(summaries),
    }


def rows_as_json(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """The rows of a table as JSON."""
    return [
        _rounded(
            asdict(summary)
            | {
                "instruction": summary.baseline == "instruction",
                "standard_errors": summary.standard_errors._asdict(),
            }
        )
        for summary in summaries
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def as_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """The final table, one row for each k and baseline, with text in every cell."""
    against = next((f"k={s.against}" if s.against.isdecimal() else s.against for s in summaries), "")
    compared = any(summary.exact_match_gain for summary in summaries)
    rows = []
    for summary in summaries:
        errors = summary.standard_errors
        row = {
            "k": summary.name,
            "n": str(summary.n),
            "exact match": f"{summary.exact_match:.3f} ± {errors.exact_match:.3f}",
            "F1": f"{summary.f1:.3f} ± {errors.f1:.3f}",
            "contained": f"{summary.contained:.3f} ± {errors.contained:.3f}",
            "first line": f"{summary.first_line_exact_match:.3f}",
            "passages contain an answer": f"{summary.passages_contain:.3f}",
            "EM if they do": "" if summary.exact_match_if_found is None else f"{summary.exact_match_if_found:.3f}",
            "s/question": f"{summary.seconds:.2f}",
        }
        if compared:
            row |= {
                f"EM - EM({against}), 95 %": _interval(summary.exact_match_gain),
                f"F1 - F1({against}), 95 %": _interval(summary.f1_gain),
                "gained, lost": "" if summary.p is None else f"{summary.gained}, {summary.lost}",
                "sign test": "" if summary.p is None else f"p = {summary.p:.2g}",
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval.low:+.3f} to {interval.high:+.3f}"
