"""Keys and values of the passages, computed without gradient and optionally kept on disk.

They do not depend on the virtual tokens, so they are the same in every epoch that has the same passages; computing
them is about half of the work of a step.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import DynamicCache

from spring.models.backbone import Backbone


class PrefixStates:
    """Compute, and optionally store, the key/value cache of token sequences for one backbone."""

    def __init__(self, backbone: Backbone, folder: Path | None = None) -> None:
        """Set the backbone, and the folder in which keys and values are kept; None: nowhere.

        The folder gets one file for each sequence: 23 KB a token for the default backbone in bf16. Several processes
        may share a folder.
        """
        self.backbone, self.folder = backbone, folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def read(self, sequences: Sequence[tuple[int, ...]]) -> tuple[DynamicCache, Tensor]:
        """Return the key/value cache of sequences of token ids, one row each.

        Returns:
            The cache, padded on the left to (rows, heads, length, head size) a layer, and the mask (rows, length),
            int64: 0 for padding.

        """
        if self.folder is None:
            return self._compute(sequences)
        stored = [self._stored(sequence) for sequence in sequences]  # (layers, 2, heads, length, head size) each
        length = max(map(len, sequences))
        layers, two, heads, _, head_size = stored[0].shape
        stacked = stored[0].new_zeros((layers, two, len(sequences), heads, length, head_size))
        mask = torch.zeros((len(sequences), length), dtype=torch.long)
        for row, (sequence, states) in enumerate(zip(sequences, stored, strict=True)):
            stacked[:, :, row, :, length - len(sequence) :] = states
            mask[row, length - len(sequence) :] = 1
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(stacked.to(self.backbone.model.device)):
            cache.update(keys, values, layer)
        return cache, mask

    def _compute(self, sequences: Sequence[tuple[int, ...]]) -> tuple[DynamicCache, Tensor]:
        length = max(map(len, sequences))
        ids = torch.zeros((len(sequences), length), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, length - len(sequence) :] = torch.tensor(sequence)
            mask[row, length - len(sequence) :] = 1
        # Without the model's configuration, so that layers with a sliding window are kept whole as well.
        cache = DynamicCache()
        device = self.backbone.model.device
        self.backbone.model.base_model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0).to(device),
            **{self.backbone.cache_keyword: cache},
        )
        return cache, mask

    def _stored(self, sequence: tuple[int, ...]) -> Tensor:
        """Load keys and values of a sequence from its file; compute and write them if there is none."""
        assert self.folder is not None
        name = f"{self.backbone.name} {self.backbone.precision} {sequence}"
        file = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.safetensors"
        if not file.is_file():
            cache, _ = self._compute([sequence])
            states = torch.stack([torch.stack([keys[0], values[0]]) for keys, values, *_ in cache]).cpu()
            new = file.with_suffix(f".{os.getpid()}")
            save_file({"states": states}, new)
            new.replace(file)
        return load_file(file)["states"]
