"""Repeat the cells of an HTML table that span rows in each of these rows, within limits."""

_MOST_COLUMNS = 200  # that a spanning cell may reach
_MOST_REPEATED = 200_000, 4_000_000  # cells and characters of a page that may be repeated


class Grid:
    """The rows of a table, in which a cell that spans rows stands in each of them."""

    def __init__(self) -> None:
        self._spanning: dict[int, tuple[int, str]] = {}  # by column: for how many more rows, and the text
        self._cells, self._characters = _MOST_REPEATED

    def clear(self) -> None:
        """Begin a table."""
        self._spanning = {}

    def row(self, cells: list[tuple[str, int, int]]) -> list[str]:
        """The next row's texts. cells: each with the rows and the columns that it spans."""
        row: list[str] = []
        below: dict[int, tuple[int, str]] = {}
        column = 0
        for text, rows, columns in cells:
            while column in self._spanning:
                self._repeat(column, row, below)
                column += 1
            row.append(text)
            if rows > 1:
                for place in range(column, min(column + columns, _MOST_COLUMNS)):
                    below[place] = rows - 1, text if place == column else ""
            column += columns
        for column in sorted(self._spanning):
            self._repeat(column, row, below)
        self._spanning = below
        return row

    def _repeat(self, column: int, row: list[str], below: dict[int, tuple[int, str]]) -> None:
        rows, text = self._spanning.pop(column)
        self._cells, self._characters = self._cells - 1, self._characters - len(text)
        if self._cells > 0 and self._characters > 0:
            row.append(text)
            if rows > 1:
                below.setdefault(column, (rows - 1, text))
