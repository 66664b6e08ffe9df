"""The example of docs/architecture.md: a dense retriever is a `Retriever`, and `compare` takes it."""

import importlib.util
import re

import numpy as np

from spring.generation.comparison import ComparisonSettings, lay_out
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions
from spring.rag.retriever import Retriever
from tests.conftest import PASSAGES, ROOT

spec = importlib.util.spec_from_file_location("dense_retriever", ROOT / "examples" / "dense_retriever.py")
assert spec is not None
assert spec.loader is not None
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def letters(texts: list[str]) -> np.ndarray:
    """Vectors of letter counts."""
    return np.array([[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], "f4")


def test_the_page_has_the_whole_example() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert (ROOT / "examples" / "dense_retriever.py").read_text().partition('"""\n\n')[2] == block


def test_it_ranks_and_names_itself() -> None:
    retriever: Retriever = example.DenseRetriever(PASSAGES, letters)
    hits = retriever.search(PASSAGES[1].text, 2)
    assert [hit.rank for hit in hits] == [1, 2]
    assert hits[0].passage == PASSAGES[1]
    assert hits[0].score > hits[1].score > 0
    assert retriever.fingerprint() != example.DenseRetriever(PASSAGES[:2], letters).fingerprint()


def test_the_prompt_takes_its_hits(llama_engine: LocalEngine) -> None:
    hits = example.DenseRetriever(PASSAGES, letters).search("Which ferry?", 2)
    assert lay_out(
        llama_engine, "Which ferry?", hits, ComparisonSettings(virtual_tokens=(0,), decoding=DecodingOptions(2))
    ).prompt
