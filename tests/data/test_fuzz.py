"""The short setting of `make fuzz`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spring.data.sandbox.parent import Sandbox
from tests.support.fuzz import FORMATS, Fuzzer, child, is_sentence

SEED = 20_261_124
FILES = 8  # of each format


@pytest.fixture(scope="module")
def reader() -> Iterator[Sandbox]:
    """One for all formats, as it takes longer to start than to read."""
    with child() as reader:
        yield reader


@pytest.mark.parametrize("suffix", FORMATS)
def test_broken_files_are_read_or_refused_in_a_sentence(suffix: str, reader: Sandbox, tmp_path: Path) -> None:
    fuzzer = Fuzzer(SEED, tmp_path / "kept")
    fuzzer.documents(suffix, FILES, reader)
    print(f"seed {SEED}: {fuzzer.counts}")
    assert fuzzer.counts[suffix].total() == FILES
    assert fuzzer.counts[suffix]["read"] > 0
    assert not (tmp_path / "kept").exists()


def test_what_is_a_sentence() -> None:
    assert is_sentence("it is empty; save it again")
    assert not is_sentence("")
    assert not is_sentence("KeyError: 'Kids'")
    assert not is_sentence("it is\nempty; save it again")
