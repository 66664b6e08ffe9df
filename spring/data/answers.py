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

from spring.data.cleaning import CJK, without_surrogates

ANSWER_SEPARATOR = "|"
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CJK = re.compile(f"[{CJK}]")
# A text in quotation marks, and whether another follows; and `array(['a', 'b'], dtype=object)`.
_LITERAL = re.compile(r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?=(\s*['"])?)""", re.DOTALL)
_ARRAY = re.compile(r"\barray\((\[[^\]]*\])(?:,\s*dtype=\w+)?\)")
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


def words(text: str) -> list[str]:
    """The words that are compared, of the normalized text; each Chinese and Japanese character is one (as in MLQA)."""
    return _CJK.sub(r" \g<0> ", normalize(text)).split()


def listed(cell: str) -> list[Any]:
    """The answers in a cell of a table: a list or an object as JSON or Python writes it, or parted by `|`."""
    return as_list(cell) or cell.split(ANSWER_SEPARATOR)


def as_list(text: str) -> list[Any] | None:
    """The list that a text is, as JSON, Python or NumPy writes it, or an object as one of one; None if it is none."""
    text = text.strip()
    if (text[:1], text[-1:]) in (("[", "]"), ("{", "}")) and len(text) <= _LONGEST_LIST:
        for parse in (json.loads, _literal):
            try:
                value = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(value, list):
                return value
            if isinstance(value, dict):
                return [value]
    return None


def _literal(text: str) -> Any:
    """A value as Python writes it, with NumPy's arrays, as pandas writes them into CSV: without commas."""
    text = _LITERAL.sub(lambda found: found[0] + "," * (found[1] is not None), text)
    return ast.literal_eval(_ARRAY.sub(r"\1", text))


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
