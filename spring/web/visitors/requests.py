"""Check what visitors and programs send: a program is not bound by the limits of the page's sliders and boxes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

from spring.data.cleaning import without_surrogates
from spring.data.sandbox.files import parse_documents
from spring.data.types import Collection, FileResult
from spring.errors import PromptError
from spring.generation.comparison import ComparisonSettings
from spring.generation.types import DecodingOptions
from spring.rag.prompt import BASELINES, Baseline
from spring.settings import READING_LIMITS, ReadingLimits

MAX_TOKENS = 1024
EXPECTED_TOKENS = 50  # the most that the page offers until the model's tokens are known
LONGEST_QUESTION = 2_000  # characters
MOST_NEW_TOKENS = 256
NO_BASELINE = "none"


def text_of(value: Any) -> str:
    """Return text without unpaired surrogates; empty for anything that is not text."""
    return without_surrogates(value) if isinstance(value, str) else ""


def visitor_of(request: Any) -> tuple[str, str]:
    """Return the session's name and the network address; both are empty if unknown.

    Behind a proxy, whose address is not public, the address is the last public one in X-Forwarded-For. Of an IPv6
    address only the first 64 bits count, the network of one household.
    """
    session = getattr(request, "session_hash", None) or ""
    host = getattr(getattr(request, "client", None), "host", None) or ""
    came = str(getattr(request, "headers", {}).get("x-forwarded-for", ""))
    address = _address(host)
    if address is None:
        return session, host
    if not address.is_global:
        forwarded = map(_address, reversed(came.split(",")))
        address = next((each for each in forwarded if each and each.is_global), address)
    if isinstance(address, IPv6Address):
        return session, str(IPv6Address(int(address) >> 64 << 64))
    return session, str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in a text, which may have a port; of IPv4 written as IPv6 the former, None of anything else."""
    with_port = re.fullmatch(r"\[(.+)\](?::\d+)?|([\d.]+):\d+", text := text.strip())
    try:
        address = ip_address((with_port[1] or with_port[2]) if with_port else text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_same_origin(request: Any) -> bool:
    """Whether a request comes from the page itself, or from a program, and not from another site's page.

    Browsers say so where the connection is trusted (https, or this machine); elsewhere the origin's host must be ours.
    """
    headers = getattr(request, "headers", {})
    if site := headers.get("sec-fetch-site"):
        return str(site) == "same-origin"
    host = headers.get("x-forwarded-host") or headers.get("host") or ""
    origin = headers.get("origin")
    return not origin or str(origin).rpartition("//")[2] == host


def question_text(question: str | None) -> str:
    """Return the question if it is not too long.

    Raises:
        PromptError: it is too long.

    """
    question = text_of(question)
    if len(question) > LONGEST_QUESTION:
        raise PromptError(f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,}.")
    return question


def whole_numbers(*values: float) -> list[int]:
    """Convert values to integers.

    Raises:
        PromptError: one is not a number.

    """
    try:
        return [int(value) for value in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError("The settings must be numbers.") from error


def within(settings: ComparisonSettings, tokens: int) -> ComparisonSettings:
    """Settings with the tokens there are instead of more, where the page offers these until the model is loaded."""
    ks = [min(k, tokens) if k <= EXPECTED_TOKENS else k for k in settings.virtual_tokens]
    return settings if ks == [*settings.virtual_tokens] else replace(settings, virtual_tokens=tuple(dict.fromkeys(ks)))


def comparison_settings(
    virtual_tokens: Sequence[float],
    passages: float,
    max_new_tokens: float,
    baseline: object = "",
    temperature: float = 0.0,
) -> ComparisonSettings:
    """Check the settings of a comparison.

    Args:
        virtual_tokens: k of each answer.
        passages: how many are retrieved.
        max_new_tokens: longest answer.
        baseline: more answers without tokens, see `baseline_names`.
        temperature: 0 is greedy.

    Raises:
        PromptError: one is out of range.

    """
    passages, new_tokens, *ks = whole_numbers(passages, max_new_tokens, *virtual_tokens)
    try:
        sampling_temperature = float(temperature)
    except (TypeError, ValueError, OverflowError) as error:
        raise PromptError("The settings must be numbers.") from error
    if not all(0 <= k <= MAX_TOKENS for k in ks):
        raise PromptError(f"The number of virtual tokens must be 0 to {MAX_TOKENS}.")
    if not 1 <= new_tokens <= MOST_NEW_TOKENS:
        raise PromptError(f"The longest answer must be 1 to {MOST_NEW_TOKENS} tokens, not {new_tokens}.")
    decoding = DecodingOptions(new_tokens, sampling_temperature)
    return ComparisonSettings(tuple(ks), int(passages), baseline_names(baseline), decoding)


def baseline_names(value: object) -> tuple[Baseline, ...]:
    """The baselines that are asked for, each once.

    Args:
        value: names in a list or separated by commas; "none" or nothing asks for none.

    Raises:
        PromptError: it is neither text nor a list of names, or there is no such baseline.

    """
    names = value.split(",") if isinstance(value, str) else value or []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise PromptError(f"The baseline must be one or several of {', '.join(BASELINES)}.")
    named = {name.strip(): None for name in names if name.strip() not in ("", NO_BASELINE)}
    if unknown := [name for name in named if name not in BASELINES]:
        name = text_of(unknown[0])[:40]
        raise PromptError(f"There is no baseline {name!r}: choose one or several of {', '.join(BASELINES)}.")
    return tuple(baseline for baseline in BASELINES if baseline in named)


def read_uploads(
    paths: Sequence[Path],
    before: Sequence[FileResult] = (),
    limits: ReadingLimits = READING_LIMITS,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Collection:
    """Read uploaded documents; `before` are those that the visitor has uploaded before, `say` hears how far it is.

    Raises:
        PromptError: there is none, or there are too many.
        DocumentError: they are too large together, or `stop` says that the visitor wants no more.

    """
    if not paths:
        raise PromptError("Choose one or more files to upload.")
    if (count := len(paths) + len(before)) > limits.files:
        raise PromptError(f"{count} files are too many; at most {limits.files}.")
    return parse_documents(paths, before, limits, stop, say)
