"""The rows of question files before they are questions: of JSON in its shapes, of tables, of Parquet and Arrow."""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spring.data.answers import lower_name, lower_names
from spring.data.cleaning import one_line
from spring.data.encoding import decode
from spring.data.rows import json_rows, json_value, read_table
from spring.errors import DocumentError

ARROW_TYPES = (".parquet", ".arrow", ".feather")
TABLE_TYPES = (".csv", ".tsv")
QUESTION_TYPES = (".jsonl", ".ndjson", ".json", *TABLE_TYPES, *ARROW_TYPES)
_BATCH = 256  # rows of Parquet that are decoded at once


class RawRow(NamedTuple):
    """A row: its number, from 1, and an object, or a ValueError that says why there is none. cells: of a table."""

    number: int
    value: Any
    cells: bool = False


def raw_rows(path: Path, questions: Collection[str], others: Collection[str]) -> Iterator[RawRow]:
    """The rows of a file, with their names in lower case and `_` for spaces.

    Args:
        path: its type is told by its name.
        questions: names under which a row may have its question, by which objects are told from lists of them.
        others: further names that are wanted; only these columns of Parquet and Arrow are decoded.

    Raises:
        DocumentError: it cannot be read, or is of no type of question files.

    """
    suffix = path.suffix.lower()
    if suffix not in QUESTION_TYPES:
        raise DocumentError(f"{path.name} is no question file: it must be {', '.join(QUESTION_TYPES)}.")
    if suffix in ARROW_TYPES:
        rows = _arrow_rows(path, {*questions, *others})
    else:
        try:
            text, _ = decode(path.read_bytes())
        except OSError as error:
            raise DocumentError(f"{path} cannot be read ({error.strerror}).") from error
        except DocumentError as error:
            raise DocumentError(f"{path.name}: {error}.") from error
        rows = _table_rows(text) if suffix in TABLE_TYPES else _json_rows(text, questions)
    for row in rows:
        yield row._replace(value=lower_names(row.value))


# --- JSON ---


def _json_rows(text: str, questions: Collection[str]) -> Iterator[RawRow]:
    whole = json_value(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else None
    rows = None if not isinstance(whole, Mapping) else _rows_of_object(whole, questions)
    numbered = json_rows(text) if rows is None else enumerate(rows, start=1)
    for number, value in numbered:
        inner = value.get("row") if isinstance(value, Mapping) else None  # of Hugging Face's datasets server
        yield RawRow(number, inner if isinstance(inner, Mapping) else value)


def _rows_of_object(whole: Mapping[str, Any], questions: Collection[str]) -> Iterable[Any] | None:
    """The rows that one JSON object holds; None if it holds none, or is but the first line of several."""
    named = lower_names(whole)
    asked = next((named[name] for name in questions if name in named), None)
    if isinstance(asked, list) or (isinstance(asked, Mapping) and "text" not in asked):
        return _rows_of_columns(named, asked)
    if asked is not None:
        return [whole]
    lists = [value for value in whole.values() if isinstance(value, list)]
    rows = next((value for value in lists if any(isinstance(row, Mapping) for row in value)), None)
    if rows is not None:
        return _squad_rows(rows)
    if len(whole) > 1 and all(isinstance(row, Mapping) for row in whole.values()):
        return [{"id": id, **row} for id, row in whole.items()]  # rows by their ids
    return None


def _rows_of_columns(named: Mapping[str, Any], asked: Any) -> Iterator[Any]:
    """Rows of an object of columns: lists (Hugging Face's `to_dict`), or objects with the same keys (pandas)."""
    for key in range(len(asked)) if isinstance(asked, list) else asked:
        yield {name: _cell(column, key) for name, column in named.items()}


def _cell(column: Any, key: Any) -> Any:
    if isinstance(column, list):
        return column[key] if isinstance(key, int) and key < len(column) else None
    return column.get(key) if isinstance(column, Mapping) else None


def _squad_rows(rows: list[Any]) -> Iterator[Any]:
    """The questions of SQuAD's articles and their paragraphs; other rows as they are."""
    for row in rows:
        paragraphs = row.get("paragraphs") if isinstance(row, Mapping) else None
        if not isinstance(paragraphs, list):
            yield row
            continue
        for paragraph in paragraphs:
            asked = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
            yield from asked if isinstance(asked, list) else ()


# --- tables ---


def _table_rows(text: str) -> Iterator[RawRow]:
    try:
        table = read_table(text)
    except csv.Error:
        yield RawRow(1, ValueError("not valid CSV"))
        return
    for number, row in table.rows:
        many = len(row) > len(table.header)
        named = dict.fromkeys(table.header) | dict(zip(table.header, row, strict=False))
        value = ValueError("more cells than columns") if many else named
        if number == table.open_quote:  # which took all that follows into a cell
            value = ValueError("a quotation mark is never closed, the rows after it were read as its cell")
        yield RawRow(number, value, cells=True)


# --- Parquet and Arrow ---


def _arrow_rows(path: Path, wanted: Collection[str]) -> Iterator[RawRow]:
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError as error:
        raise DocumentError(
            f'{path.name} needs pyarrow to be read: install it (pip install "pyarrow>=21"), or save the questions as '
            "JSON Lines."
        ) from error
    # Threads would take address space, of which a process that reads strangers' files has little.
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    number = 0
    try:
        with path.open("rb") as opened:
            if path.suffix.lower() == ".parquet":
                file = parquet.ParquetFile(opened)
                names = file.schema_arrow.names
                chosen = [name for name in names if lower_name(name) in wanted]
                batches = file.iter_batches(_BATCH, columns=chosen, use_threads=False)
            else:
                head = opened.read(6)
                opened.seek(0)
                stream = ipc.open_file(opened) if head == b"ARROW1" else ipc.open_stream(opened)
                names = stream.schema.names
                chosen = [name for name in names if lower_name(name) in wanted]
                batches = _batches(stream, head == b"ARROW1")
            unread = dict.fromkeys(names)  # an error names them
            for batch in batches:
                for start in range(0, batch.num_rows, _BATCH):
                    part = batch.select(chosen).slice(start, _BATCH)
                    for row in part.to_pylist() if chosen else [{}] * part.num_rows:
                        number += 1
                        yield RawRow(number, unread | row)
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, NotImplementedError, OverflowError) as error:
        reason = one_line(str(error))[:200]
        raise DocumentError(f"{path.name} is not a readable {path.suffix[1:]} file ({reason}).") from error


def _batches(stream: Any, whole: bool) -> Iterator[Any]:
    """Record batches of an Arrow file (`whole`) or of a stream."""
    yield from (stream.get_batch(place) for place in range(stream.num_record_batches)) if whole else stream
