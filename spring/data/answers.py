"""Golden answers: what a file gives as answers made into texts, and the form in which texts are compared.

The form is SQuAD's (Rajpurkar et al. 2016, arXiv 1606.05250, and its `evaluate-v1.1.py`): lower case, no ASCII
punctuation, no articles, single spaces; before that Unicode's NFKC, so that ligatures, full-width letters and letters
with their accents apart compare equal.
"""

import ast
import json
import math
import re
import string
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from spring.data.cleaning import without_surrogates

ANSWER_SEPARATOR = "|"
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_LONGEST_LIST = 100_000  # characters of a list in the cell of a table


def normalize(text: str) -> str:
    """The form in which answers are compared; empty if only articles and punctuation are there."""
    text = unicodedata.normalize("NFKC", text).lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", text).split())


def golden_answers(given: Any) -> tuple[str, ...]:
    """The answers that a value holds, each once: a text, a number, a truth value, a list or an object of these."""
    texts: list[str] = []
    for value in given if isinstance(given, list) else [given]:
        if isinstance(value, Mapping):
            named = lower_names(value)
            parts = [named.get("value"), named.get("text"), named.get("answer")]
            for part in [*parts, named.get("aliases")]:
                texts += _plain(part)
        else:
            texts += _plain(value)
    return tuple(dict.fromkeys(filter(None, texts)))


def _plain(given: Any) -> Iterator[str]:
    for value in given if isinstance(given, list) else [given]:
        if isinstance(value, bool):
            yield from ("yes", "true") if value else ("no", "false")
        elif isinstance(value, float):
            if math.isfinite(value):  # others are gaps in a column of numbers, which makes 1932 to 1932.0
                yield str(int(value) if value.is_integer() else value)
        elif isinstance(value, str | int | Decimal | date):  # years are written without quotation marks now and then
            yield clean(str(value))


def listed(cell: str) -> list[Any]:
    """The answers in a cell of a table: a list as JSON or Python writes it, or parted by `|`."""
    return as_list(cell) or cell.split(ANSWER_SEPARATOR)


def as_list(text: str) -> list[Any] | None:
    """The list that a text is, as JSON or Python writes it; None if it is none."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]") and len(text) <= _LONGEST_LIST:
        for parse in (json.loads, ast.literal_eval):
            try:
                value = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, list):
                return value
    return None


def lower_name(name: object) -> str:
    """A column's name in lower case and with `_` for spaces."""
    return str(name).strip().lower().replace(" ", "_")


def lower_names(row: Any) -> Any:
    """The row with its names in lower case and `_` for spaces; what is no object stays."""
    if not isinstance(row, Mapping):
        return row
    named: dict[str, Any] = {}
    for name, value in row.items():
        named.setdefault(lower_name(name), value)
    return named


def clean(text: str) -> str:
    """The text as a tokenizer takes it, without outer white space."""
    return without_surrogates(text).strip()
