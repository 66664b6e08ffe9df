"""Feed embeddings to a backbone, by the loop of the precision int4 where it has one, else by transformers."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from transformers import Cache

from spring.generation.kv_cache import BufferedLayer
from spring.generation.llama_loop import loop_of
from spring.generation.shared_prefix import Layers
from spring.models.backbone import Backbone


def logits_of(
    backbone: Backbone,
    embeddings: Tensor,
    positions: Tensor,
    mask: Tensor | dict[str, Tensor],
    cache: Cache,
    keep: Tensor | None = None,
    shared: Layers | None = None,
) -> Tensor:
    """Feed embeddings, and append them to the cache.

    Args:
        backbone: the model.
        embeddings: (rows, length, hidden).
        positions: (rows, length).
        mask: (rows, 1, length, slots), added to the scores; of a model with windows in some layers, one for each kind.
        cache: one that `new_cache` made.
        keep: places (kept,) whose logits are wanted; None: the last.
        shared: see `shared_prefix`.

    Returns:
        (rows, kept, vocabulary), in the model's type.

    """
    if isinstance(mask, Tensor) and (loop := loop_of(backbone.model)):
        last = slice(-1, None)
        kept: Tensor = loop.head(
            loop.run(embeddings, positions, mask, _layers(cache), shared, last if keep is None else keep)
        )
        return kept
    more: dict[str, Any] = {} if shared is None else {"shared_prefix": shared}
    logits: Tensor = backbone.model(
        inputs_embeds=embeddings,
        attention_mask=mask,
        position_ids=positions,
        **{backbone.cache_keyword: cache},
        logits_to_keep=1 if keep is None else keep,
        **more,
    ).logits
    return logits


def read(backbone: Backbone, embeddings: Tensor, cache: Cache) -> None:
    """Feed embeddings (1, length, hidden) of which each sees all before it, and append them to the cache."""
    if loop := loop_of(backbone.model):
        start = cache.get_seq_length()
        positions = torch.arange(start, start + embeddings.shape[1])[None]
        loop.run(embeddings, positions, None, _layers(cache), keep=slice(0))  # none: logits are not needed
    else:  # the inner model: logits are not needed
        backbone.model.base_model(inputs_embeds=embeddings, **{backbone.cache_keyword: cache})


def _layers(cache: Cache) -> Sequence[BufferedLayer]:
    return cast(Sequence[BufferedLayer], cache.layers)
