"""Load Excel workbooks: one page for each sheet, one line for each row, with the values that formulas had last."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any

from spring.data.cleaning import one_line
from spring.data.loaders.archive import check_zip
from spring.data.loaders.content import Block, Content, build_page, check_pages, clean_title
from spring.data.loaders.csv_table import row_lines
from spring.data.rows import header_place
from spring.data.types import Page
from spring.errors import DocumentError

_MOST_CELLS = 1_000_000  # of all sheets
_TOO_MANY = f"it has more than {_MOST_CELLS:,} cells; give a smaller part of it"


def load_xlsx(data: bytes, most_pages: int) -> Content:
    """One page for each sheet that shows and is not empty."""
    check_zip(data, "workbook", ".xlsx", "Excel")
    from openpyxl import load_workbook  # it takes 0.2 s
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except InvalidFileException as error:
        raise ValueError(str(error)) from error
    check_pages(len(book.worksheets), most_pages)
    pages: list[Page] = []
    hidden = [sheet.title for sheet in book.worksheets if sheet.sheet_state != "visible"]
    left = _MOST_CELLS
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        sheet.reset_dimensions()  # what a file states may be a million rows of nothing
        rows = []
        for row in _rows(sheet):
            left -= len(row)
            if left < 0:
                raise DocumentError(_TOO_MANY)
            rows.append(row)
        if rows:
            pages.append(_page(sheet.title, rows))
    names = ", ".join(one_line(name) for name in hidden[:5])
    warnings = [f"hidden sheets were left out ({names})"] if hidden else []
    return Content(pages or [Page("")], warnings, clean_title(book.properties.title or ""))


def _rows(sheet: Any) -> Iterator[list[str]]:
    """The rows that have a value, as texts, up to their last value."""
    for row in sheet.iter_rows():
        cells = [_text(_shown(cell)) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells


def _shown(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool) and "%" in cell.number_format:
        return f"{value * 100:.12g}%"
    return value


def _page(name: str, rows: list[list[str]]) -> Page:
    place = header_place(rows[:11])
    header = rows[place]
    lines = [" ".join(filter(None, row)) for row in rows[:place]]
    lines += [*row_lines(header, rows[place + 1 :])] or ["; ".join(filter(None, header))]
    return build_page([Block(name, 1), *map(Block, lines)], rows=True)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case datetime():
            return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
        case date():
            return value.isoformat()
    return one_line(str(value))
