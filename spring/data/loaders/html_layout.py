"""Tell tables of data from tables that lay out an HTML page, and read the plain rows of the former at once."""

from dataclasses import dataclass

from lxml import etree

from spring.data.loaders.html_tree import Element

HEADINGS = {f"h{level}": level for level in range(1, 7)}
LISTINGS = frozenset(["pre", "listing", "xmp", "plaintext"])
_LONGEST_CELL = 1_500  # characters; a table with a longer one lays out the page


@dataclass(slots=True)
class _Table:
    """What is known of an open table so far."""

    row: Element  # the open one; the table before the first
    cells: int = 0  # of this row
    columns: int = 0
    characters: int = 0  # of the open cell


def table_layout(root: Element) -> tuple[set[Element], dict[Element, list[str]]]:
    """What lays out the page: tables of one column, and rows with tables, headings, listings or long cells.

    Beside it the texts of the cells of all rows that hold nothing else: most, which so are read at once.
    """
    layout: set[Element] = set()
    rows: dict[Element, list[str]] = {}
    if next(root.iter("table"), None) is None:
        return layout, rows
    tables: list[_Table] = []
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = element.tag
        table = tables[-1] if tables else None
        if event == "start":
            if table is not None and tag == "tr" and (cells := _texts(element)):
                rows[element] = cells
                table.row, table.columns = element, max(table.columns, len(cells))
                table.characters = max(map(len, cells))
                walk.skip_subtree()
            elif table is not None:
                if tag == "table" or tag in HEADINGS or tag in LISTINGS:
                    layout.add(table.row)
                elif tag == "tr":
                    table.row, table.cells = element, 0
                elif tag in ("td", "th"):
                    table.cells, table.characters = table.cells + 1, 0
                    table.columns = max(table.columns, table.cells)
                table.characters += len(element.text or "")
            if tag == "table":
                tables.append(_Table(element))
            continue
        if tag == "table" and tables.pop().columns < 2:
            layout.add(element)
        if tables:
            tables[-1].characters += len(element.tail or "")
            if tables[-1].characters > _LONGEST_CELL:
                layout.add(tables[-1].row)
    return layout, rows


def _texts(row: Element) -> list[str] | None:
    """The texts of a row's cells, if it holds nothing else; None if it does, or if one of them spans others."""
    cells = [*row]
    for cell in cells:
        if len(cell) or cell.tag not in ("td", "th") or "rowspan" in cell.attrib or "colspan" in cell.attrib:
            return None
        if cell.tail and not cell.tail.isspace():
            return None
    return [cell.text or "" for cell in cells] if not row.text or row.text.isspace() else None
