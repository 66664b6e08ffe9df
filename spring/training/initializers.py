"""Initial values of virtual tokens: the embeddings of a text, random ones, or those of a token file."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch

from spring.errors import PromptError
from spring.models.backbone import Backbone
from spring.models.virtual_tokens import TOKEN_FILES, VirtualTokens
from spring.rag.prompt import INSTRUCTION, worked_examples
from spring.training.settings import paper_size

_SPREAD_SAMPLE = 1000  # vocabulary entries from which the spread of random values is measured


def _instruction(backbone: Backbone, number: int, seed: int) -> VirtualTokens:
    """The paper's instruction (section 3.2), repeated or cut to the number of tokens."""
    return backbone.initial_virtual_tokens(number, INSTRUCTION)


def _examples(backbone: Backbone, number: int, seed: int) -> VirtualTokens:
    """Worked examples of short answers; they start at a lower loss than the instruction on small backbones."""
    return backbone.initial_virtual_tokens(number, worked_examples(backbone.tokenizer.eos_token or ""))


def _random(backbone: Backbone, number: int, seed: int) -> VirtualTokens:
    """Normal values with the standard deviation of the vocabulary's embeddings."""
    ids = torch.arange(min(_SPREAD_SAMPLE, len(backbone.tokenizer)))
    spread = round(float(backbone.embed(ids).float().std()), 4)  # its last digits depend on the number of threads
    values = torch.randn(number, backbone.hidden, generator=torch.Generator().manual_seed(seed))
    return VirtualTokens(values * spread, backbone.name)


INITIALIZERS: Mapping[str, Callable[[Backbone, int, int], VirtualTokens]] = MappingProxyType(
    {"instruction": _instruction, "examples": _examples, "random": _random}
)
"""The named initial values."""


def check_init(init: str) -> None:
    """Refuse a single word that is neither a named initializer nor a token file: probably a misspelled name.

    Raises:
        PromptError: which choices there are.

    """
    if init not in INITIALIZERS and not init.endswith(TOKEN_FILES) and not any(map(str.isspace, init.strip())):
        raise PromptError(
            f"There are no initial values {init!r}: choose {', '.join(INITIALIZERS)}, a token file "
            f"({' or '.join(TOKEN_FILES)}), or a text of at least two words."
        )


def initial_tokens(backbone: Backbone, init: str | None = None, number: int = 50, seed: int = 0) -> VirtualTokens:
    """Make the values that training starts from.

    Args:
        backbone: the language model that the tokens are for.
        init: a name of INITIALIZERS, a token file, or a text of at least two words, whose embeddings are repeated or
            cut to `number`. None: "instruction" for backbones of the paper's size, "examples" for smaller ones.
        number: how many tokens, n.
        seed: of the random values.

    Raises:
        PromptError: `init` names nothing, or the file holds fewer than `number` tokens.
        TokenFileError: the file cannot be used, or belongs to another backbone.

    """
    init = init or ("instruction" if paper_size(backbone.hidden) else "examples")
    check_init(init)
    if init in INITIALIZERS:
        return INITIALIZERS[init](backbone, number, seed)
    if not init.endswith(TOKEN_FILES):
        return backbone.initial_virtual_tokens(number, init)
    given = VirtualTokens.load(init, backbone.name)
    if number > len(given):
        raise PromptError(f"{init} holds {len(given)} virtual tokens: give --number {len(given)}, or fewer.")
    return VirtualTokens(given.first(number), given.backbone)
