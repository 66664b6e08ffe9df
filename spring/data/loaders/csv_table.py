"""Load tables: CSV, TSV, with semicolons or pipes. One page, one line for each row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat

from spring.data.cleaning import one_line
from spring.data.loaders.content import Block, Content, build_page, clean_title, numbered
from spring.data.rows import read_table
from spring.data.types import Page


def load_csv(text: str) -> Content:
    """One page with a line for each row: `name: value; name: value`; the line above the header is the title."""
    table = read_table(text)
    warnings = []
    if table.open_quote:
        warnings.append(f"a quotation mark in row {table.open_quote} is never closed, the rest was read as one cell")
    uneven = [number for number, row in table.rows if len(row) != len(table.header)]
    if uneven:
        verb = "has" if len(uneven) == 1 else "have"
        warnings.append(f"{numbered('row', uneven)} {verb} more or fewer cells than the header")
    page = rows_page(table.header, (row for _, row in table.rows), table.above)
    return Content([page], warnings, clean_title(table.above[0]) if table.above else "")


def rows_page(header: list[str], rows: Iterable[list[str]], above: list[str]) -> Page:
    """A page of the lines above a table, and its rows with the header's names."""
    lines = [*row_lines(header, rows)] or ["; ".join(map(one_line, header))]
    return build_page(map(Block, [*map(one_line, above), *lines]), rows=True)


def row_lines(header: Sequence[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """For each row `name: value; name: value`, without the cells that are empty."""
    names = [f"{name}: " if name else "" for name in map(one_line, header)]
    for row in rows:
        beyond = repeat("", len(row) - len(names))
        cells = zip(chain(names, beyond), map(str.strip, row), strict=False)
        line = "; ".join([name + value for name, value in cells if value])
        yield line if line.isprintable() else one_line(line)
