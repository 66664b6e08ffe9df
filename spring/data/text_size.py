"""About how much memory texts take."""

from collections.abc import Iterable
from sys import getsizeof

OVERHEAD = 200  # bytes of the object that holds a text, and its place in a list or dictionary


def text_bytes(texts: Iterable[str]) -> int:
    """Bytes of some texts, each kept in an object of its own."""
    return sum(OVERHEAD + getsizeof(text) for text in texts)
