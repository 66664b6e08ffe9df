"""Read the rows of tables (CSV, TSV, with semicolons, with pipes) and of JSON (lines, or one list).

Documents and question files are read by the same functions.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

_DELIMITERS = ",;\t|"
_SAMPLE = 30  # rows by which the delimiter is chosen,
_SAMPLE_CHARACTERS = 100_000  # of so many characters
_MOST_ABOVE = 10  # rows above the header
_STATED = re.compile(r'\s*"?sep=(.)"?[^\S\n]*(?:\n|$)', re.IGNORECASE)  # Excel's first line
_END = "\x1e"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text: its header and rows, each with its number in the file, from 1.

    above: the lines above the header, such as a title. open_quote: the row in which a quotation mark is never closed.
    """

    header: list[str]
    rows: list[tuple[int, list[str]]]
    above: list[str]
    open_quote: int | None = None


def read_table(text: str) -> Table:
    """The table in a text; its delimiter is what the file states, or what parts most rows alike.

    Raises:
        csv.Error: it is no table, for example because it holds a NUL.

    """
    text = text.removeprefix("\ufeff")
    stated = _STATED.match(text)
    body = text[stated.end() :] if stated else text
    first = 2 if stated else 1
    delimiter = stated[1] if stated else _delimiter(body)
    # The limit is the whole process's, so it is only ever raised; no field is longer than its file.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 2))
    # A last row of our own shows whether a quotation mark was left open: then it is not a row by itself.
    rows = list(enumerate(csv.reader(io.StringIO(f"{body}\n{_END}"), delimiter=delimiter), first))
    open_quote = None
    if rows[-1][1] == [_END]:
        rows.pop()
    else:
        open_quote = len(rows) + first - 1
    rows = [(number, row) for number, row in rows if any(map(str.strip, row))]
    place = header_place([row for _, row in rows[: _MOST_ABOVE + 1]])
    above = [" ".join(filter(None, map(str.strip, row))) for _, row in rows[:place]]
    return Table(rows[place][1] if rows else [], rows[place + 1 :], above, open_quote)


def _delimiter(text: str) -> str:
    """The delimiter that gives most rows the same number of cells, more than one."""
    sample = "\n".join(islice(text[:_SAMPLE_CHARACTERS].splitlines(), _SAMPLE * 2))

    def score(delimiter: str) -> tuple[float, int]:
        try:
            rows = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if any(row)][:_SAMPLE]
        except csv.Error:
            return 0, 0
        cells, times = max(Counter(map(len, rows)).items(), key=lambda item: (item[0] > 1) * item[1], default=(0, 0))
        return (times / len(rows), cells) if cells > 1 else (0, 0)

    return max(_DELIMITERS, key=score)


def header_place(rows: list[list[str]]) -> int:
    """Find the header: behind rows of one cell, if a row of several and another row follow these."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    place = next((place for place, number in enumerate(filled) if number > 1), 0)
    if place and not rows[place - 1][0].strip() and max(map(len, rows)) == 2:
        place -= 1  # a column and its index without a name, as pandas writes them
    return place if place + 1 < len(rows) else 0


def json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Number and value of each row of JSON Lines, or of one JSON list; a ValueError where a line holds no value."""
    whole = json_value(text) if text.lstrip("\ufeff \t\n").startswith("[") else None
    if isinstance(whole, list):
        yield from enumerate(whole, start=1)
        return
    # Not splitlines: JSON may hold U+2028 as it is.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except RecursionError:
                yield number, ValueError("nested too deeply")
            except ValueError:  # also a number of more digits than Python converts
                yield number, ValueError("not valid JSON")


def json_value(text: str) -> Any:
    """The value of a text that is one JSON value; a ValueError, not raised, if it is none."""
    try:
        return json.loads(text)
    except RecursionError:
        return ValueError("nested too deeply")
    except ValueError:
        return ValueError("not valid JSON")
