"""Why this answer? Attribute the answers of a comparison to its passages.

Leave one passage out, score the answer again: a large drop of its log-probability shows that the answer comes from that
passage. It shows the source, not the truth; and with redundant passages the drop spreads over them.
"""

from collections.abc import Iterator
from typing import Any

from spring.errors import PromptError
from spring.generation.comparison import Comparison
from spring.generation.interface import Engine
from spring.generation.types import Attribution, PromptDraft


def attribute(engine: Engine, comparison: Comparison) -> Iterator[Attribution]:
    """Attribute the answers of a finished comparison; a snapshot after every step, the last one is complete.

    Raises:
        PromptError: an answer has not ended.
        ModelError: there is not enough memory, or the model's process died.

    """
    if not comparison.progress.ids or not comparison.progress.done:
        raise PromptError("Wait until the answers are complete, then ask why.")
    draft = PromptDraft(
        comparison.question,
        tuple(hit.passage for hit in comparison.hits),
        tuple(request.virtual_tokens for request in comparison.requests if request.baseline in ("", "plain")),
        tuple(request.baseline for request in comparison.requests if request.baseline and request.baseline != "plain"),
    )
    return engine.attribute(draft, comparison.progress.ids)


def as_dict(attribution: Attribution) -> list[dict[str, Any]]:
    """An attribution as JSON, one object for each answer."""
    return [
        {
            "virtual_tokens": answer.virtual_tokens,
            "baseline": answer.baseline,
            "tokens": list(answer.tokens),
            "log_probability": answer.log_probability,
            "drops": list(answer.drops),
            "own": list(answer.own),
            "with_tokens": list(answer.with_tokens),
            "without_tokens": list(answer.without_tokens),
            "without_passages": list(answer.without_passages),
        }
        for answer in attribution.answers
    ]
