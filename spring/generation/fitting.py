"""Fit retrieved passages into a backbone's context."""

from spring.errors import PromptError
from spring.generation.types import PromptDraft
from spring.models.tokenization import Tokenization
from spring.rag.prompt import Prompt

MOST_CHARACTERS_PER_TOKEN = 16  # longer text surely does not fit, so it is not tokenized


def fit(draft: PromptDraft, tokenization: Tokenization, context_length: int) -> int:
    """How many passages fit beside the question and the answer; whole ones are dropped, the lowest rank first.

    Args:
        draft: the question, all its passages and the answers asked for.
        tokenization: counts.
        context_length: most tokens of input and output together.

    Raises:
        PromptError: the question alone or the answer is too long, or the question cannot be laid out.

    """
    room = context_length - draft.max_new_tokens
    if room <= 0:
        raise PromptError(
            f"An answer of {draft.max_new_tokens} tokens leaves no room for the question: {tokenization.name} takes "
            f"{context_length} tokens in all; please choose a shorter answer."
        )
    for kept in range(len(draft.passages), -1, -1):
        if sum(len(passage.titled) for passage in draft.passages[:kept]) > MOST_CHARACTERS_PER_TOKEN * room:
            continue
        most_virtual: dict[tuple[Prompt, bool], int] = {}
        for request in draft.requests(kept):
            key = request.prompt, request.chat
            most_virtual[key] = max(request.virtual_tokens, most_virtual.get(key, 0))
        if all(tokenization.count(*key) + k <= room for key, k in most_virtual.items()):
            return kept
    raise PromptError(
        f"The question is too long: {tokenization.name} takes {context_length} tokens in all; please shorten it."
    )
