"""Run a Llama whose weights are packed (the precisions int4) as one loop over its layers.

What transformers does between the products of a token takes longer than the products: some 400 calls of modules, and
norms and rotations of a dozen operations each. Here are the same operations without them, rounded at the same places
but for the means of norms; products of few rows with the same states are one, and the last layer computes only what is
asked for.
Every other model goes through transformers.
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeGuard, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaForCausalLM, PreTrainedModel

from spring.generation.attention_products import can_multiply_bf16
from spring.generation.kv_cache import BufferedLayer
from spring.generation.shared_prefix import Layers, attend_to, takes_shared_prefix
from spring.models.int8 import join_int8, products_in_int8
from spring.models.packed_linear import MOST_ROWS, PackedLinear
from spring.models.rounding import PackedWeights, join

LINEARS = [f"self_attn.{name}_proj" for name in "qkvo"] + [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
Product: TypeAlias = Callable[[Tensor], Tensor]
Products: TypeAlias = Callable[[Tensor], Sequence[Tensor]]
_loops: MutableMapping[PreTrainedModel, "LlamaLoop | None"] = WeakKeyDictionary()


def loop_of(model: PreTrainedModel) -> "LlamaLoop | None":
    """The loop of a Llama whose layers are packed and have no biases, with the attention that the loop has."""
    if model not in _loops:
        _loops[model] = LlamaLoop(model) if _is_plain_and_packed(model) else None
    return _loops[model] if takes_shared_prefix(model) else None


def _is_plain_and_packed(model: PreTrainedModel) -> TypeGuard[LlamaForCausalLM]:
    if type(model) is not LlamaForCausalLM or model.config.hidden_act != "silu":
        return False
    if model.dtype == torch.bfloat16 and not can_multiply_bf16():
        return False
    linears = [layer.get_submodule(name) for layer in model.model.layers for name in LINEARS]
    return all(type(linear) is PackedLinear and linear.bias is None for linear in linears)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's norms, and its products with states (rows, numbers)."""

    norm: Tensor
    mlp_norm: Tensor
    query_key_value: Product  # side by side
    output: Product
    gate_up: Products
    down: Product


class LlamaLoop:
    """See the module's docstring. What it takes from the model's modules is looked up once, as that takes time too."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        config = model.config
        self._width = cast(int, getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self._heads = config.num_attention_heads
        self._turned = self._heads + cast(int, config.num_key_value_heads)  # heads that have a position
        self._epsilon, self._last_norm = torch.tensor(float(config.rms_norm_eps)), cast(Tensor, model.model.norm.weight)
        self._rotation, self.head = model.model.rotary_emb.forward, model.lm_head.forward
        layers = [_layers(layer) for layer in cast(Sequence[Any], model.model.layers)]
        self._few, self._many = [few for few, _ in layers], [many for _, many in layers]

    def run(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor | None,
        cache: Sequence[BufferedLayer],
        shared: Layers | None = None,
        keep: Tensor | slice | None = None,
    ) -> Tensor:
        """Feed tokens, append them to the cache, and return their last states.

        Args:
            embeddings: (rows, length, hidden), in the model's type.
            positions: (rows, length).
            mask: (rows, 1, length, slots), added to the scores of the cache's slots; None: a token sees all before it.
            cache: of each layer.
            shared: keys and values of each layer that stand before the cache's, the same for all rows.
            keep: places whose states are wanted; None: all.

        Returns:
            (rows, kept, hidden), for the output layer.

        """
        rows, length, hidden = embeddings.shape
        cosines, sines = self._signed_rotation(embeddings, positions)
        scale = self._width**-0.5
        states = embeddings.view(-1, hidden)
        layers = self._few if len(states) <= MOST_ROWS else self._many
        for index, layer in enumerate(layers):
            heads = layer.query_key_value(self.normed(states, layer.norm)).view(rows, length, -1, self._width)
            turned = _rotated(heads[:, :, : self._turned].transpose(1, 2), cosines, sines)
            query, key = turned[:, : self._heads], turned[:, self._heads :]
            own = cache[index].update(key, heads[:, :, self._turned :].transpose(1, 2))
            if index + 1 == len(layers) and keep is not None:
                states = states.view(rows, length, hidden)[:, keep].reshape(-1, hidden)
                query, mask = query[:, :, keep], None if mask is None else mask[:, :, keep]
                if not len(states):
                    return embeddings[:, :0]
            attended = attend_to(query, *own, mask, scale, None if shared is None else shared[index])
            states = layer.output(attended.reshape(len(states), -1)).add_(states)
            gate, up = layer.gate_up(self.normed(states, layer.mlp_norm))
            states = layer.down(functional.silu(gate).mul_(up)).add_(states)
        return self.normed(states, self._last_norm).view(rows, -1, hidden)

    def _signed_rotation(self, embeddings: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines (rows, 1, length, width) of the positions; sines of the first half are negative."""
        cosines, sines = (part[:, None] for part in self._rotation(embeddings, positions))
        half = self._width // 2
        return cosines, torch.cat((-sines[..., :half], sines[..., half:]), -1)

    def normed(self, states: Tensor, weight: Tensor) -> Tensor:
        """Divide states (rows, hidden) by the root of their mean square: by lengths, which is half the operations."""
        lengths = torch.linalg.vector_norm(states, dim=-1, keepdim=True, dtype=torch.float32)
        factors = torch.addcmul(self._epsilon, lengths, lengths, value=1 / states.shape[-1]).rsqrt_()
        return (states * factors).to(states.dtype).mul_(weight)


def _layers(layer: Any) -> tuple[Layer, Layer]:
    """A layer for few rows, with the packed weights, and for many."""
    norms = layer.input_layernorm.weight, layer.post_attention_layernorm.weight
    linears = [cast(PackedLinear, layer.get_submodule(name)) for name in LINEARS]
    q, k, v, o, gate, up, down = (linear.packed for linear in linears if isinstance(linear.packed, PackedWeights))
    query_key_value, gate_up = join((q, k, v)), join((gate, up))
    few = Layer(
        *norms,
        query_key_value.product if query_key_value else _side_by_side(_each(q.product, k.product, v.product)),
        o.product,
        partial(_halves, gate_up.product) if gate_up else _each(gate.product, up.product),
        down.product,
    )
    # By the weights themselves: the last layer may go on with few rows, which its modules would multiply otherwise.
    int8 = [linear.int8 for linear in linears if linear.int8 is not None]
    if int8:
        q8, k8, v8, o8, gate8, up8, down8 = int8
        together = partial(products_in_int8, (gate8, up8))
        return few, Layer(*norms, join_int8((q8, k8, v8)).product, o8.product, together, down8.product)
    whole = [partial(functional.linear, weight=linear.weight) for linear in linears]
    return few, Layer(*norms, _side_by_side(_each(*whole[:3])), whole[3], _each(*whole[4:6]), whole[6])


def _each(*products: Product) -> Products:
    return lambda states: [product(states) for product in products]


def _side_by_side(products: Products) -> Product:
    return lambda states: torch.cat(list(products(states)), -1)


def _halves(product: Product, states: Tensor) -> Sequence[Tensor]:
    return product(states).chunk(2, -1)


def _rotated(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary position embedding, of halves as transformers has it; the sines of the first half are negative."""
    return (states * cosines).add_(states.roll(states.shape[-1] // 2, -1).mul_(sines))
