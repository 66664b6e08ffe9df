"""Run a Llama in the precision int4 as one loop over its layers.

What transformers does between the products of a token takes longer than the products: some 400 calls of modules, and
norms and rotations of a dozen operations each. Here are the same operations without them, rounded at the same places.
Every other model goes through transformers.
"""

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TypeAlias, TypeGuard, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedModel

from spring.generation.attention_products import can_multiply_bf16
from spring.generation.kv_cache import BufferedLayer
from spring.generation.shared_prefix import Layers, attend_to, takes_shared_prefix
from spring.models.packed_linear import MOST_ROWS, PackedLinear

LINEARS = [f"self_attn.{name}_proj" for name in "qkvo"] + [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
Product: TypeAlias = Callable[[Tensor], Tensor]
_loops: MutableMapping[PreTrainedModel, "LlamaLoop | None"] = WeakKeyDictionary()


def loop_of(model: PreTrainedModel) -> "LlamaLoop | None":
    """The loop of a Llama whose layers are packed and have no biases, with the attention that the loop has."""
    if model not in _loops:
        _loops[model] = LlamaLoop(model) if _is_plain_and_packed(model) else None
    return _loops[model] if takes_shared_prefix(model) else None


def _is_plain_and_packed(model: PreTrainedModel) -> TypeGuard[LlamaForCausalLM]:
    if type(model) is not LlamaForCausalLM or model.config.hidden_act != "silu" or not can_multiply_bf16():
        return False
    linears = [layer.get_submodule(name) for layer in model.model.layers for name in LINEARS]
    return all(type(linear) is PackedLinear and linear.bias is None for linear in linears)


class LlamaLoop:
    """See the module's docstring. What it takes from the model's modules is looked up once, as that takes time too."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        config, layers = model.config, cast(Sequence[Any], model.model.layers)
        self._width = cast(int, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self._epsilon, self._last_norm = config.rms_norm_eps, cast(Tensor, model.model.norm.weight)
        self._rotation, self.head = model.model.rotary_emb.forward, model.lm_head.forward
        self._norms = [(layer.input_layernorm.weight, layer.post_attention_layernorm.weight) for layer in layers]
        linears = [[cast(PackedLinear, layer.get_submodule(name)) for name in LINEARS] for layer in layers]
        self._few: list[list[Product]] = [[linear.packed.product for linear in layer] for layer in linears]
        self._many: list[list[Product]] = [[linear.forward for linear in layer] for layer in linears]

    def run(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        cache: Sequence[BufferedLayer],
        shared: Layers | None = None,
    ) -> Tensor:
        """Feed tokens, append them to the cache, and return their last states.

        Args:
            embeddings: (rows, length, hidden), bf16.
            positions: (rows, length).
            mask: (rows, 1, length, slots), added to the scores of the cache's slots; None: a token sees all before it.
            cache: of each layer.
            shared: keys and values of each layer that stand before the cache's, the same for all rows.

        Returns:
            (rows, length, hidden), for the output layer.

        """
        rows, length, hidden = embeddings.shape
        rotation = [part[:, None] for part in self._rotation(embeddings, positions)]
        heads, scale = (rows, length, -1, self._width), self._width**-0.5
        states = embeddings.view(-1, hidden)
        products = self._few if len(states) <= MOST_ROWS else self._many
        for index, (q, k, v, o, gate, up, down) in enumerate(products):
            norm, mlp_norm = self._norms[index]
            normed = self._normed(states, norm)
            query = _rotated(q(normed).view(heads).transpose(1, 2), *rotation)
            key = _rotated(k(normed).view(heads).transpose(1, 2), *rotation)
            own = cache[index].update(key, v(normed).view(heads).transpose(1, 2))
            attended = attend_to(query, *own, mask, scale, None if shared is None else shared[index])
            states = o(attended.reshape(len(states), -1)).add_(states)
            normed = self._normed(states, mlp_norm)
            states = down(functional.silu(gate(normed), inplace=True).mul_(up(normed))).add_(states)
        return self._normed(states, self._last_norm).view(rows, length, hidden)

    def _normed(self, states: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(states.float(), weight.shape, eps=self._epsilon).bfloat16().mul_(weight)


def _rotated(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary position embedding, of halves as transformers has it."""
    half = states.shape[-1] // 2
    turned = torch.cat((-states[..., half:], states[..., :half]), -1)
    return (states * cosines).add_(turned.mul_(sines))
