"""The tokens that ship with the package, on the default backbone: where they come from, and that they help."""

import pytest

from spring.evaluation.runner import evaluate
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


def test_the_examples_that_the_page_offers_show_the_difference_and_where_it_ends(default_engine: LocalEngine) -> None:
    from spring.web.tabs.form import EXAMPLES  # with Gradio, which no other test of this process imports

    sample = load_samples()[0]
    settings = ComparisonSettings((0, 50), baselines=("examples",), decoding=DecodingOptions(10))
    questions = sample.questions[:EXAMPLES]
    rows = [row for done in evaluate(default_engine, questions, sample.retriever, settings) for row in done.rows]
    right = {(row.id, row.baseline) for row in rows if row.exact_match}
    *convincing, last = [question.id for question in questions]
    assert right == {*((id, "") for id in convincing), (last, "examples")}
