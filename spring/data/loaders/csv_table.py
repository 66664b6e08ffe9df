"""Load CSV and TSV files: one page, one line for each row."""

import csv
import io
from itertools import zip_longest

from spring.data.cleaning import one_line
from spring.data.loaders.content import Content, clean_page, numbered

_CSV_END = "\x1e"


def load_csv(text: str) -> Content:
    """One page with a line for each row: `name: value; name: value`."""
    try:
        delimiter = csv.Sniffer().sniff(text[:8192], ",;\t").delimiter
    except csv.Error:
        delimiter = ","
    # The limit is the whole process's, so it is only ever raised; no field is longer than its file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 2))
    # A last row of our own shows whether a quotation mark was left open: then it is not a row by itself.
    rows = list(csv.reader(io.StringIO(f"{text}\n{_CSV_END}"), delimiter=delimiter))
    warnings = []
    if rows[-1] == [_CSV_END]:
        rows.pop()
    else:
        warnings.append(f"a quotation mark in row {len(rows)} is never closed, the rest was read as one cell")
    header: list[str] = next(filter(None, rows), [])
    records = [(number, row) for number, row in enumerate(rows, 1) if row][1:]
    uneven = [number for number, row in records if len(row) != len(header)]
    if uneven:
        verb = "has" if len(uneven) == 1 else "have"
        warnings.append(f"{numbered('row', uneven)} {verb} more or fewer cells than the header")
    lines = [_csv_line(header, row) for _, row in records] or ["; ".join(header)]
    return Content([clean_page("\n\n".join(lines))], warnings)


def _csv_line(header: list[str], row: list[str]) -> str:
    cells = zip_longest(map(one_line, header), map(one_line, row), fillvalue="")
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells if value)
