"""Blind tests: which answer is which, until the visitor has chosen, and what each visitor has chosen so far."""

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from spring.errors import PromptError

T = TypeVar("T")
LETTERS = "ABCDEFGH"
MOST_VISITORS = 500  # the one who has not been here for longest makes room for a new one
NO_TEST = "There is no blind test of yours to reveal: tick Blind test, ask a question, and wait for its answers."
WRONG = "Choose among the letters of the answers, each once."


@dataclass(slots=True)
class Count:
    """How often answers of one kind were shown, and chosen."""

    shown: int = 0
    chosen: int = 0


@dataclass(slots=True)
class _Visit(Generic[T]):
    hidden: tuple[T, tuple[str, ...]] | None = None  # what is shown, and the kind behind each letter
    is_own: bool = False  # that quotes the visitor's own documents
    tally: dict[str, Count] = field(default_factory=dict)


class BlindTests(Generic[T]):
    """The test that each visitor has open, and a tally for the visit."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, _Visit[T]] = OrderedDict()
        self._lock = threading.Lock()

    def hide(self, visitor: str, shown: T, kinds: list[str], is_own: bool = False) -> list[int]:
        """Open a test in place of the one before; `is_own`: it quotes the visitor's own documents.

        Returns:
            The places of the kinds in the order of the letters, at random.

        """
        order = list(range(len(kinds)))
        secrets.SystemRandom().shuffle(order)
        with self._lock:
            visit = self._visits.setdefault(visitor, _Visit())
            self._visits.move_to_end(visitor)
            visit.hidden, visit.is_own = (shown, tuple(kinds[place] for place in order)), is_own
            while len(self._visits) > MOST_VISITORS:
                self._visits.popitem(last=False)
        return order

    def reveal(self, visitor: str, choice: object) -> tuple[T, tuple[str, ...]]:
        """Close the visitor's test and count the choice.

        Args:
            visitor: who chose.
            choice: letters of the answers that are good, in a list; none may be.

        Returns:
            What was shown, and the kind behind each letter.

        Raises:
            PromptError: there is no test, or the choice is none; then the test stays open.

        """
        with self._lock:
            visit = self._visits.get(visitor)
            if visit is None or visit.hidden is None:
                raise PromptError(NO_TEST)
            shown, kinds = visit.hidden
            letters = LETTERS[: len(kinds)]
            given = choice if isinstance(choice, list) and len(choice) <= len(kinds) else None
            if given is None or not all(isinstance(letter, str) and len(letter) == 1 for letter in given):
                raise PromptError(WRONG)
            if len(set(given)) < len(given) or not set(given) <= set(letters):
                raise PromptError(WRONG)
            visit.hidden = None
            for letter, kind in zip(letters, kinds, strict=True):
                count = visit.tally.setdefault(kind, Count())
                count.shown += 1
                count.chosen += letter in given
            return shown, kinds

    def tally(self, visitor: str) -> dict[str, Count]:
        """How often each kind was shown and chosen in this visit."""
        with self._lock:
            visit = self._visits.get(visitor)
            return {kind: Count(count.shown, count.chosen) for kind, count in visit.tally.items()} if visit else {}

    def close(self, visitor: str) -> None:
        """Drop the test that is open."""
        with self._lock:
            if visit := self._visits.get(visitor):
                visit.hidden = None

    def forget_own(self, visitor: str) -> None:
        """Drop the test that is open if it quotes the visitor's own documents, which are removed."""
        with self._lock:
            if (visit := self._visits.get(visitor)) and visit.is_own:
                visit.hidden = None

    def leave(self, visitor: str) -> None:
        """Drop everything of a visitor who is gone."""
        with self._lock:
            self._visits.pop(visitor, None)
