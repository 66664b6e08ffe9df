"""Read the folder that PEFT's `save_pretrained` writes for prompt tuning, as virtual tokens.

https://huggingface.co/docs/peft/package_reference/prompt_tuning: `adapter_config.json`, and `prompt_embeddings`, (n,
hidden), in `adapter_model.safetensors`. PEFT puts them before the whole prompt. Tokens of this project are never
written in that form: PEFT would put them at the wrong place and answer wrongly without a word.
"""

import json
import os
from pathlib import Path
from typing import Any

from spring.data.cleaning import clean_text, one_line
from spring.errors import TokenFileError
from spring.models.catalog import known_name, table_name
from spring.models.token_files import read_safetensors
from spring.models.virtual_tokens import VirtualTokens

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_CONFIG = 1_000_000  # bytes; PEFT writes about 700
FRONT_WARNING = (
    "These tokens were learned for the front of the prompt, and with the prompts of whoever learned them: ask with "
    "--position front to put them there; between passages and question they answer worse."
)


def is_peft_folder(path: Path) -> bool:
    """Whether a folder holds an adapter of PEFT."""
    return os.path.isfile(path / CONFIG)


def read_peft(folder: Path, backbone: str | None = None) -> VirtualTokens:
    """The virtual tokens of a prompt-tuning folder; their details say that their place is the front.

    Args:
        folder: holds the two files.
        backbone: whose tokens they are; None: the base model that the folder names.

    Raises:
        TokenFileError: it is no prompt tuning of a causal language model, cannot be read, or names no base model.

    """
    config = _config(folder / CONFIG)
    kind = one_line(clean_text(str(config.get("peft_type"))))[:40]
    if kind != "PROMPT_TUNING":
        raise TokenFileError(
            f"{folder.name} is an adapter of the kind {kind}, whose numbers are no input embeddings: only the kind "
            "PROMPT_TUNING can be imported."
        )
    if config.get("num_transformer_submodules") not in (None, 1):
        raise TokenFileError(f"{folder.name} is for a model with an encoder and a decoder: it cannot be imported.")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise TokenFileError(f"{folder.name} has no {WEIGHTS}: save it again with PEFT's safe_serialization=True.")
    base = config.get("base_model_name_or_path")
    name = known_name(backbone) if backbone else table_name(base) if isinstance(base, str) else ""
    if not name:
        raise TokenFileError(f"{folder.name} does not say which model it is for: give --backbone NAME.")
    tensor, _ = read_safetensors(weights, foreign=True)
    said = config.get("num_virtual_tokens"), config.get("token_dim")
    if any(number not in (None, size) for number, size in zip(said, tensor.shape, strict=False)):
        raise TokenFileError(f"{folder.name} says {said[0]} tokens of {said[1]}, but holds {tuple(tensor.shape)}.")
    details = {"position": "front", "source": f"PEFT prompt tuning, {folder.resolve().name}"}
    return VirtualTokens(tensor, name, "by PEFT prompt tuning, for the front of the prompt", details)


def _config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_CONFIG:
            raise TokenFileError(f"{path.name} has more than {MOST_CONFIG:,} bytes: it is no configuration of PEFT.")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise TokenFileError(f"{path} is no readable configuration of PEFT: choose another folder.") from error
    if not isinstance(config, dict):
        raise TokenFileError(f"{path} is no configuration of PEFT: choose another folder.")
    return config
