"""Try whether a model attends to a shared prefix (see `shared_prefix`), as not every model that could be told to does.

Some hand nothing on to the attention (Nemotron), or change the keys and values that they took from the cache
(DiffLlama): answers would come without the passages. Others have keys and values of different widths (DeepSeek).
"""

from typing import cast

import torch
from torch import nn

from spring.generation import forward
from spring.generation.kv_cache import Prefix, new_cache
from spring.generation.rows import RowInput
from spring.generation.shared_prefix import prepare_attention, takes_shared_prefix
from spring.generation.shared_rows import SharedRows
from spring.generation.stacked_rows import StackedRows
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone

TOKENS = 8  # of a prefix and of a question
MOST_APART = 0.2  # of the logits' standard deviation: in fp32 1e-6, in 8 bits 0.04, without the prefix 0.5 and more
KNOWN = frozenset({"llama", "mistral", "qwen2"})  # to take it; trying takes a tenth of a second


def use_shared_prefix(backbone: Backbone) -> None:
    """Let a model on the CPU take a shared prefix, if it does. For the model's worker thread only."""
    if takes_shared_prefix(backbone.model):
        return
    plain = backbone.model.config._attn_implementation
    prepare_attention(backbone.model)
    known = backbone.model.config.model_type in KNOWN
    if takes_shared_prefix(backbone.model) and not known and not sees_shared_prefix(backbone):
        backbone.model.set_attn_implementation(plain)


def sees_shared_prefix(backbone: Backbone) -> bool:
    """Whether the logits of questions behind a shared prefix are those behind copies of it."""
    vocabulary = len(cast(nn.Embedding, backbone.model.get_input_embeddings()).weight)
    ids = torch.linspace(0, vocabulary - 1, 2 * TOKENS).long().tolist()
    prefix = Prefix(tuple(ids[:TOKENS]), new_cache(backbone.layers, TOKENS))
    inputs = [RowInput(prefix, 0, ids[TOKENS:]), RowInput(prefix, 0, ids[TOKENS:-1])]
    try:
        forward.read(backbone, backbone.embed(torch.tensor([ids[:TOKENS]])), prefix.cache)
        shared, copied = (
            kind(backbone, inputs, DecodingOptions(1)).read_questions() for kind in (SharedRows, StackedRows)
        )
    except RuntimeError:  # of PyTorch, which takes no values of another width than the keys
        return False
    return bool((shared - copied).abs().mean() < MOST_APART * copied.std())
