"""Passages that a backbone reads without gradient, and may keep on disk.

What the backbone makes of the passages does not depend on the virtual tokens, so it is the same in every epoch that
has the same passages: reading them again is half of the work of a step.
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
    """Reads for one backbone."""

    def __init__(self, backbone: Backbone, folder: Path | None = None) -> None:
        """Take a backbone, and the folder where keys and values are kept, if they are.

        There is a file for each text (23 KB a token in bf16 on the default backbone). Processes may share a folder.
        """
        self.backbone, self.folder = backbone, folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def read(self, texts: Sequence[tuple[int, ...]]) -> tuple[DynamicCache, Tensor]:
        """Read texts, each given as its ids, into a cache of one row a text.

        Returns:
            The cache, left-padded, and the mask (rows, length) of what is no padding.

        """
        if self.folder is None:
            return self._read(texts)
        kept = [self._kept(text) for text in texts]  # (layers, 2, heads, length, head_dim) each
        length = max(map(len, texts))
        layers, two, heads, _, head_dim = kept[0].shape
        stacked = kept[0].new_zeros((layers, two, len(texts), heads, length, head_dim))
        mask = torch.zeros((len(texts), length), dtype=torch.long)
        for row, (text, states) in enumerate(zip(texts, kept, strict=True)):
            stacked[:, :, row, :, length - len(text) :] = states
            mask[row, length - len(text) :] = 1
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(stacked.to(self.backbone.model.device)):
            cache.update(keys, values, layer)
        return cache, mask

    def _read(self, texts: Sequence[tuple[int, ...]]) -> tuple[DynamicCache, Tensor]:
        length = max(map(len, texts))
        ids = torch.zeros((len(texts), length), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, length - len(text) :] = torch.tensor(text)
            mask[row, length - len(text) :] = 1
        cache = DynamicCache()  # without the model's configuration: layers with a sliding window are kept whole as well
        device = self.backbone.model.device
        self.backbone.model.base_model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0).to(device),
            **{self.backbone.cache_keyword: cache},
        )
        return cache, mask

    def _kept(self, text: tuple[int, ...]) -> Tensor:
        """Keys and values of a text, from its file, which is written if it is not there."""
        assert self.folder is not None
        name = f"{self.backbone.name} {self.backbone.precision} {text}"
        file = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.safetensors"
        if not file.is_file():
            cache, _ = self._read([text])
            states = torch.stack([torch.stack([keys[0], values[0]]) for keys, values, *_ in cache]).cpu()
            new = file.with_suffix(f".{os.getpid()}")
            save_file({"states": states}, new)
            new.replace(file)
        return load_file(file)["states"]
