"""Load tables: CSV, TSV, with semicolons or pipes. One page, one line for each row."""

from collections.abc import Iterable
from itertools import zip_longest

from spring.data.cleaning import clean_text, one_line
from spring.data.loaders.content import Content, clean_title, numbered
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
    lines = [row_line(header, row) for row in rows] or ["; ".join(header)]
    return Page(clean_text("\n\n".join([*map(one_line, above), *lines])), rows=True)


def row_line(header: list[str], row: list[str]) -> str:
    """`name: value; name: value`, without the cells that are empty."""
    cells = zip_longest(map(one_line, header), map(one_line, row), fillvalue="")
    return "; ".join(f"{name}: {value}" if name else value for name, value in cells if value)
