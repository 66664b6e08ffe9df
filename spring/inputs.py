"""What visitors and programs send, checked again: a program skips the limits of the page's sliders and boxes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spring.documents import Collection
from spring.errors import PromptError
from spring.limits import LIMITS, Limits
from spring.parsing import parse_documents

if TYPE_CHECKING:
    from spring.comparison import Settings

MOST_TOKENS = 1024
LONGEST_QUESTION = 2_000  # characters
MOST_NEW_TOKENS = 256


def question_text(question: str | None) -> str:
    """The question, if it is not too long; None is what programs call null.

    Raises:
        PromptError: it is too long.

    """
    question = question or ""
    if len(question) > LONGEST_QUESTION:
        raise PromptError(f"The question has {len(question):,} characters; {LONGEST_QUESTION:,} are the most.")
    return question


def whole_numbers(*values: float) -> list[int]:
    """Whole numbers.

    Raises:
        PromptError: one is none.

    """
    try:
        return [int(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError("The settings must be numbers.") from error


def comparison_settings(
    virtual_tokens: Sequence[float],
    passages: float,
    max_new_tokens: float,
    told: bool = False,
    temperature: float = 0.0,
) -> "Settings":
    """Settings of a comparison.

    Raises:
        PromptError: one is out of range.

    """
    passages, new_tokens, *ks = whole_numbers(passages, max_new_tokens, *virtual_tokens)
    try:
        heat = float(temperature)
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError("The settings must be numbers.") from error
    if not all(0 <= k <= MOST_TOKENS for k in ks):
        raise PromptError(f"The number of virtual tokens must be 0 to {MOST_TOKENS} at most.")
    if not 1 <= new_tokens <= MOST_NEW_TOKENS:
        raise PromptError(f"The longest answer must be 1 to {MOST_NEW_TOKENS} tokens, not {new_tokens}.")
    from spring.comparison import Settings

    return Settings(tuple(ks), int(passages), bool(told), new_tokens, heat)


def read_uploads(
    paths: Sequence[Path],
    names: Sequence[str] = (),
    limits: Limits = LIMITS,
    stop: Callable[[], bool] = lambda: False,
) -> Collection:
    """Read uploaded documents; `names` are those that the visitor has uploaded before.

    Raises:
        PromptError: there is none, or there are too many.
        DocumentError: they are too large together, or `stop` says that the visitor wants no more.

    """
    if not paths:
        raise PromptError("Choose one or more files to upload.")
    if len(paths) + len(names) > limits.files:
        raise PromptError(f"{len(paths) + len(names)} files are too many; {limits.files} are the most.")
    return parse_documents(paths, names, limits, stop)
