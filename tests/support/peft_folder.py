"""A folder as PEFT writes it, written without PEFT, which imports bitsandbytes and much of torch."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from spring.models.peft_folder import CONFIG, WEIGHTS

N = 7  # virtual tokens
DEFAULTS = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": N, "base_model_name_or_path": "someone/model"}


def folder_of(path: Path, config: dict[str, Any] | None = None, **tensors: torch.Tensor) -> Path:
    path.mkdir()
    (path / CONFIG).write_text(json.dumps(DEFAULTS | (config or {})))
    save_file(tensors or {"prompt_embeddings": torch.randn(N, 64)}, path / WEIGHTS, {"format": "pt"})
    return path
