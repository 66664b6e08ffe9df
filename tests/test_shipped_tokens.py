"""The tokens that ship with the package, on the default backbone: where they come from, and that they help."""

import pytest

from spring.comparison import Settings
from spring.evaluation import evaluate, summarize
from spring.finding import SHIPPED_TOKENS
from spring.generation import Engine
from spring.samples import load_samples
from spring.virtual_tokens import VirtualTokens


@pytest.mark.parametrize("path", sorted(SHIPPED_TOKENS.glob("*")))
def test_a_shipped_file_says_where_it_comes_from(path) -> None:
    tokens = VirtualTokens.load(path)
    assert path.name == f"{tokens.backbone}.safetensors"
    assert tokens.learned
    assert {"data", "licences", "steps", "seed", "command", "dev"} <= set(tokens.details)


def test_the_default_backbone_has_learned_tokens_by_default(default_engine: Engine) -> None:
    shipped = VirtualTokens.load(SHIPPED_TOKENS / f"{default_engine.backbone.name}.safetensors")
    assert len(shipped) == 50
    assert default_engine.tokens.learned == shipped.learned
    assert bool((default_engine.tokens.embeddings == shipped.embeddings).all())


def test_with_them_the_questions_of_a_sample_collection_are_answered(default_engine: Engine) -> None:
    sample = load_samples()[0]
    settings = Settings(virtual_tokens=(0, 50), max_new_tokens=16)
    questions = sample.questions[:8]
    rows = [row for done in evaluate(default_engine, questions, sample.retriever, settings) for row in done.rows]
    without, with_tokens = summarize(rows)
    assert with_tokens.exact_match >= without.exact_match + 0.4
    assert with_tokens.contained >= 0.6
