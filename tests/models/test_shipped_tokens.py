"""The tokens that ship with the package, on the default backbone: where they come from, and that they help."""

import pytest

from spring.evaluation.runner import evaluate
from spring.evaluation.summary import summarize
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions
from spring.models.finder import SHIPPED_TOKENS
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.library import load_samples


@pytest.mark.parametrize("path", sorted(SHIPPED_TOKENS.glob("*")))
def test_a_shipped_file_says_where_it_comes_from(path) -> None:
    tokens = VirtualTokens.load(path)
    assert path.name == f"{tokens.backbone}.safetensors"
    assert tokens.learned
    assert {"data", "licences", "steps", "seed", "command", "dev"} <= set(tokens.details)


def test_the_default_backbone_has_learned_tokens_by_default(default_engine: LocalEngine) -> None:
    shipped = VirtualTokens.load(SHIPPED_TOKENS / f"{default_engine.backbone.name}.safetensors")
    assert len(shipped) == 50
    assert default_engine.tokens.learned == shipped.learned
    assert bool((default_engine.tokens.embeddings == shipped.embeddings).all())


def test_with_them_the_questions_of_a_sample_collection_are_answered(default_engine: LocalEngine) -> None:
    sample = load_samples()[0]
    settings = ComparisonSettings(virtual_tokens=(0, 50), passages=1, decoding=DecodingOptions(16))
    questions = sample.questions[:8]
    rows = [row for done in evaluate(default_engine, questions, sample.retriever, settings) for row in done.rows]
    without, with_tokens = summarize(rows)
    assert with_tokens.exact_match >= without.exact_match + 0.4
    assert with_tokens.contained >= 0.6
