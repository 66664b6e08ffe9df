"""Load Jupyter notebooks: one page of the cells, Markdown as what it means, code and its output as lines."""

from collections.abc import Iterator, Mapping
from typing import Any

from spring.data.loaders.content import Block, Content, build_page, clean_title
from spring.data.loaders.markdown import markdown_blocks
from spring.data.rows import json_value
from spring.errors import DocumentError

_LONGEST_OUTPUT = 2_000  # characters of one output
_NO_NOTEBOOK = "it is not what its name says, a notebook ({}); save it again as .ipynb"


def load_notebook(text: str) -> Content:
    """One page; its title is the first heading of level 1."""
    value = json_value(text)
    if isinstance(value, ValueError):
        raise DocumentError(_NO_NOTEBOOK.format(value))
    cells = value.get("cells") if isinstance(value, Mapping) else None
    if not isinstance(cells, list):
        raise DocumentError(_NO_NOTEBOOK.format("it has no cells"))
    blocks = [block for cell in cells if isinstance(cell, Mapping) for block in _cell_blocks(cell)]
    title = next((block.text for block in blocks if block.level == 1), "")
    return Content([build_page(blocks)], [], clean_title(title))


def _cell_blocks(cell: Mapping[str, Any]) -> Iterator[Block]:
    source = _joined(cell.get("source"))
    if cell.get("cell_type") == "markdown":
        yield from markdown_blocks(source)
        return
    yield Block(source, preformatted=True)
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, Mapping) and output.get("output_type") != "error":
            data = output.get("data")
            text = _joined(output.get("text") or (data.get("text/plain") if isinstance(data, Mapping) else ""))
            yield Block(text[:_LONGEST_OUTPUT], preformatted=True)


def _joined(lines: Any) -> str:
    """A text that may be a list of lines."""
    return "".join(line for line in (lines if isinstance(lines, list) else [lines]) if isinstance(line, str))
