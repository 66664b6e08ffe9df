"""Key/value caches: buffers that are written in place, and the last few passage prefixes within a byte budget."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


class BufferedLayer(DynamicLayer):
    """One layer's keys and values, (rows, heads, length, head_dim), in buffers of a fixed capacity.

    `DynamicLayer.update` makes new tensors of the full length for every token. On a CPU the kernel hands each of
    them out as fresh pages, which took half of the decoding time of two rows and two thirds of that of eight.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Take the buffers, once the first states show their shape, type and device."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._keys = key_states.new_empty((*key_states.shape[:2], self.capacity, key_states.shape[3]))
        self._values = value_states.new_empty((*value_states.shape[:2], self.capacity, value_states.shape[3]))
        self.keys, self.values = self._keys[:, :, :0], self._values[:, :, :0]
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append states and return views of all that is stored so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        self._keys[:, :, start:end] = key_states
        self._values[:, :, start:end] = value_states
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]
        return self.keys, self.values

    @property
    def nbytes(self) -> int:
        """Bytes of both buffers."""
        return self._keys.nbytes + self._values.nbytes if self.is_initialized else 0


def new_cache(layers: int, capacity: int) -> Cache:
    """An empty cache of `layers` layers with room for `capacity` positions.

    Sliding-window layers are stored whole as well: the model's own mask hides what is out of their window.
    """
    return Cache(layers=[BufferedLayer(capacity) for _ in range(layers)])


@dataclass(frozen=True, eq=False)
class Prefix:
    """Passages that the model has read: ids of the text left of the seam, then some virtual tokens.

    The virtual tokens come after the passages and see nothing else, so row k simply hides all but the first k.
    """

    ids: tuple[int, ...]
    cache: Cache  # one row; len(ids) positions, then `virtual_tokens`

    @property
    def virtual_tokens(self) -> int:
        """How many virtual tokens follow the passages in the cache."""
        return int(self.cache.get_seq_length()) - len(self.ids)

    @property
    def nbytes(self) -> int:
        """Memory that the prefix holds."""
        return sum(layer.nbytes for layer in self.cache.layers if isinstance(layer, BufferedLayer))


class PrefixCache:
    """The most recently used prefixes, at most `budget` bytes of them. Used by the model's worker thread alone."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._prefixes: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._prefixes)

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(prefix.nbytes for prefix in self._prefixes.values())

    def get(self, ids: tuple[int, ...]) -> Prefix | None:
        """The prefix with exactly these ids, if it is still kept."""
        if ids in self._prefixes:
            self._prefixes.move_to_end(ids)
        return self._prefixes.get(ids)

    def put(self, prefix: Prefix) -> None:
        """Keep a prefix and drop the least recently used ones that no longer fit."""
        self._prefixes[prefix.ids] = prefix
        self._prefixes.move_to_end(prefix.ids)
        while self.nbytes > self.budget:
            self._prefixes.popitem(last=False)

    def clear(self) -> None:
        """Drop all prefixes."""
        self._prefixes.clear()
