"""A question as an address: what a link may fill in, and nothing else.

`?collection=..&q=..&k=..&passages=..&run=1`, of sample collections only. It is checked like any
input, as anybody may have written it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from spring.errors import PromptError
from spring.web.visitors.requests import LONGEST_QUESTION, text_of

MOST_PASSAGES = 10
LONGEST_ADDRESS = 12 * LONGEST_QUESTION + 1_000  # characters: an encoded one takes up to twelve
MOST_PARAMETERS = 20
FOREIGN = "A link can only hold a question about a sample collection: your documents stay with you."
EMPTY = "Type a question first: a link holds the question, k, and the number of passages."


@dataclass(frozen=True)
class Link:
    """What an address asks for: values of the form's inputs by `elem_id`, and the names of what was ignored."""

    values: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    run: bool = False  # ask at once

    @property
    def note(self) -> str:
        """One sentence on what was ignored; empty if nothing was."""
        return f"This link was not followed in full: {', '.join(self.ignored)}." if self.ignored else ""


def read_link(query: object, samples: Collection[str], most_tokens: int) -> Link:
    """Read the part of an address behind the question mark; never fails.

    Args:
        query: what the browser sent.
        samples: names of the sample collections.
        most_tokens: the largest k.

    Returns:
        What is usable. A link of which anything was ignored asks nothing by itself.

    """
    text = text_of(query)
    try:
        found = parse_qs(text[:LONGEST_ADDRESS].removeprefix("?"), max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return Link(ignored=(f"it has more than {MOST_PARAMETERS} parameters",))
    given = {name: text_of(values[-1]) for name, values in found.items()}
    values: dict[str, Any] = {}
    ignored = []
    if (collection := given.get("collection")) is not None:
        if collection in samples:
            values["collection"] = collection
        else:
            ignored.append("there is no such sample collection here")
    if (question := given.get("q")) is not None:
        if len(question) <= LONGEST_QUESTION and len(text) <= LONGEST_ADDRESS:
            values["question"] = question
        else:
            ignored.append(f"its question is longer than {LONGEST_QUESTION:,} characters")
    for name, key, least, most in (("k", "k", 0, most_tokens), ("passages", "passage_count", 1, MOST_PASSAGES)):
        if (number := given.get(name)) is not None:
            if re.fullmatch(r"[0-9]{1,4}", number) and least <= int(number) <= most:
                values[key] = int(number)
            else:
                ignored.append(f"{name} must be {least} to {most}")
    run = given.get("run") == "1" and not ignored and bool(values.get("question", "").strip())
    return Link(values, tuple(ignored), run)


def checked_address(address: object, samples: Collection[str], most_tokens: int) -> str:
    """Return an address that the visitor's browser made of the form, if opening it would ask a question.

    Raises:
        PromptError: it would not.

    """
    text = text_of(address)
    if len(text) > LONGEST_ADDRESS or not text.startswith(("http://", "https://")):
        raise PromptError(FOREIGN)
    link = read_link(text.partition("?")[2], samples, most_tokens)
    if link.ignored or "collection" not in link.values:
        raise PromptError(link.note or FOREIGN)
    if not link.run:
        raise PromptError(EMPTY)
    return text
