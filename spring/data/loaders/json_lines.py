"""Load JSON Lines collections: one page for each row."""

import json
from dataclasses import replace

from spring.data.loaders.content import Content, clean_page, numbered
from spring.data.types import Page
from spring.errors import DocumentError


def load_json_lines(text: str) -> Content:
    """One page for each row that has text; the others are warned of."""
    pages: list[Page] = []
    skipped: dict[str, list[int]] = {}
    for number, row in enumerate(text.split("\n"), 1):  # not splitlines: JSON may hold U+2028 as it is
        page = _json_page(row) if row.strip() else None
        if isinstance(page, Page):
            pages.append(page)
        elif page is not None:
            skipped.setdefault(page, []).append(number)
    warnings = [f"{numbered('row', numbers)} skipped ({reason})" for reason, numbers in skipped.items()]
    if not pages:
        reasons = "; ".join(warnings) or "there are none"
        raise DocumentError(f'no row has text ({reasons}); each must be an object with "contents" or "text"')
    return Content(pages, warnings)


def _json_page(row: str) -> Page | str:
    """The page that a row holds, or the reason why it holds none."""
    try:
        value = json.loads(row)
    except RecursionError:
        return "nested too deeply"
    except ValueError:  # also a number of more digits than Python converts
        return "not valid JSON"
    if not isinstance(value, dict):
        return "not an object"
    contents, text, title = value.get("contents"), value.get("text"), value.get("title")
    identity = str(value["id"]) if isinstance(value.get("id"), str | int) else ""
    if isinstance(contents, str) and contents.strip():
        title, _, text = contents.strip().partition("\n")
        return replace(clean_page(text, title), id=identity)
    if isinstance(text, str) and text.strip():
        return replace(clean_page(text, title if isinstance(title, str) else ""), id=identity)
    return 'no text in "contents" or "text"'
