"""Key/value caches: buffers that are written in place, and the last few passage prefixes within a byte budget."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


class BufferedLayer(DynamicLayer):
    """One layer's keys and values, (rows, heads, length, head_dim), in buffers of a fixed capacity.

    `DynamicLayer.update` allocates tensors of the full length for every token. On a CPU the kernel maps fresh pages for
    each, which took half of the decoding time of two rows and two thirds of that of eight.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.capacity = capacity

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate the buffers, when the first states show their shape, type and device."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._keys = key_states.new_empty((*key_states.shape[:2], self.capacity, key_states.shape[3]))
        self._values = value_states.new_empty((*value_states.shape[:2], self.capacity, value_states.shape[3]))
        self.keys, self.values = self._keys[:, :, :0], self._values[:, :, :0]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append states and return views of all that is stored so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        self._keys[:, :, start:end] = key_states
        self._values[:, :, start:end] = value_states
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]
        return self.keys, self.values

    def extend(self, length: int) -> None:
        """Append positions whose states the caller fills in; the buffers must be allocated."""
        end = self.keys.shape[2] + length
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]

    def keep_rows(self, rows: int, moves: Sequence[tuple[int, int]]) -> None:
        """Copy rows (to, from), and keep the first `rows`."""
        for place, row in moves:
            self.keys[place], self.values[place] = self.keys[row], self.values[row]
        self._keys, self._values = self._keys[:rows], self._values[:rows]
        self.keys, self.values = self.keys[:rows], self.values[:rows]

    @property
    def nbytes(self) -> int:
        """Bytes of both buffers."""
        return self._keys.nbytes + self._values.nbytes if self.is_initialized else 0


def new_cache(layers: int, capacity: int) -> Cache:
    """An empty cache of `layers` layers with room for `capacity` positions.

    Sliding-window layers are stored whole as well: the mask hides what is outside their window.
    """
    return Cache(layers=[BufferedLayer(capacity) for _ in range(layers)])


@dataclass(frozen=True, eq=False)
class Prefix:
    """Passages that the model has read: ids of the text left of the seam, then some virtual tokens.

    The virtual tokens follow the passages and see only those, so row k hides all but the first k.
    """

    ids: tuple[int, ...]
    cache: Cache  # one row; len(ids) positions, then `virtual_tokens`

    @property
    def layers(self) -> list[BufferedLayer]:
        """The cache's layers, which `new_cache` made."""
        return cast(list[BufferedLayer], self.cache.layers)

    @property
    def read(self) -> int:
        """How many positions are in the cache."""
        return int(self.cache.get_seq_length())

    @property
    def virtual_tokens(self) -> int:
        """How many virtual tokens follow the passages in the cache."""
        return max(0, self.read - len(self.ids))

    def lacks(self, virtual_tokens: int) -> int:
        """How many positions are to be read until all passages and so many virtual tokens are in the cache."""
        return max(0, len(self.ids) + virtual_tokens - self.read)

    @property
    def nbytes(self) -> int:
        """Memory that the prefix holds."""
        return sum(layer.nbytes for layer in self.layers)


def copy_prefix(prefix: Prefix, ids: tuple[int, ...], length: int, capacity: int) -> Prefix:
    """A prefix of its own with the first `length` positions of another.

    Args:
        prefix: is left as it is.
        ids: of the new prefix; the first `length` are those of the other, unless virtual tokens are copied too.
        length: positions to copy.
        capacity: positions for which the new one has room.

    """
    cache = new_cache(len(prefix.layers), capacity)
    if length:
        for layer, source in zip(cast(list[BufferedLayer], cache.layers), prefix.layers, strict=True):
            layer.update(source.keys[:, :, :length], source.values[:, :, :length])
    return Prefix(ids, cache)


def stack_prefixes(cache: Cache, prefixes: Sequence[Prefix], virtual_tokens: int) -> None:
    """Fill an empty cache with a row for each prefix: the passages end at the same slot, `virtual_tokens` follow.

    Slots left of shorter passages are zero: the mask hides them, but NaN times a weight of 0 would be NaN.
    """
    passages = max(len(prefix.ids) for prefix in prefixes)
    for index, layer in enumerate(cast(list[BufferedLayer], cache.layers)):
        sources = [prefix.layers[index] for prefix in prefixes]
        keys, values = (states.expand(len(prefixes), -1, -1, -1) for states in (sources[0].keys, sources[0].values))
        layer.lazy_initialization(keys, values)
        layer.extend(passages + virtual_tokens)
        for row, (prefix, source) in enumerate(zip(prefixes, sources, strict=True)):
            start, end = passages - len(prefix.ids), len(prefix.ids) + virtual_tokens
            for states, read in ((layer.keys, source.keys), (layer.values, source.values)):
                states[row, :, :start] = 0
                states[row, :, start:] = read[0, :, :end]


def keep_rows(cache: Cache, rows: Sequence[int]) -> list[int]:
    """Shrink a cache in place: its last rows take the place of those that are not kept.

    Returns:
        Which of the old rows each of the new ones is.

    """
    order = list(range(len(rows)))
    free = sorted(set(order) - set(rows))
    moves = list(zip(free, sorted(set(rows) - set(order)), strict=True))
    for place, row in moves:
        order[place] = row
    for layer in cast(list[BufferedLayer], cache.layers):
        layer.keep_rows(len(rows), moves)
    return order


class PrefixCache:
    """The most recently used prefixes, at most `budget` bytes of them. For the model's worker thread only."""

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
