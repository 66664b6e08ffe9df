"""Load JSON Lines collections, and JSON lists of such rows: one page for each row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spring.data.loaders.content import Content, clean_page, numbered
from spring.data.rows import json_rows
from spring.data.types import Page
from spring.errors import DocumentError

# Where a row's text is. FlashRAG's `contents` begins with the title; SQuAD has `context`, LangChain `page_content`.
TEXTS = ("contents", "text", "context", "page_content", "content", "passage", "body")
_TITLES = ("title", "name")
_IDS = ("id", "_id", "doc_id", "docid")
_NO_TEXT = 'no text in "contents", "text", "context" or "page_content"'


def load_json_lines(text: str) -> Content:
    """One page for each row that has text; the others are warned of."""
    pages: list[Page] = []
    skipped: dict[str, list[int]] = {}
    for number, row in json_rows(text):
        page = row_page(row)
        if isinstance(page, Page):
            pages.append(page)
        else:
            skipped.setdefault(page, []).append(number)
    warnings = [f"{numbered('row', numbers)} skipped ({reason})" for reason, numbers in skipped.items()]
    if not pages:
        reasons = "; ".join(warnings) or "there are none"
        raise DocumentError(f'no row has text ({reasons}); each must be an object with "contents" or "text"')
    return Content(pages, warnings)


def row_page(row: Any) -> Page | str:
    """The page that a row holds, or the reason why it holds none."""
    if isinstance(row, ValueError):
        return str(row)
    if not isinstance(row, Mapping):
        return "not an object"
    name = next((key for key in TEXTS if isinstance(row.get(key), str) and row[key].strip()), None)
    if name is None:
        return _NO_TEXT
    text, title = row[name].strip(), _first(row, _TITLES)
    if name == "contents" and not title:
        title, _, text = text.partition("\n")
    if not title and isinstance(row.get("metadata"), Mapping):
        title = _first(row["metadata"], _TITLES)
    identity = next((str(row[key]) for key in _IDS if isinstance(row.get(key), str | int)), "")
    return replace(clean_page(text, title), id=identity)


def _first(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((row[key] for key in keys if isinstance(row.get(key), str) and row[key].strip()), "")
