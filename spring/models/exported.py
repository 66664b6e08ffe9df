"""An exported folder as an engine without weights reads it: its tokenizer and `spring.json`, without torch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenizers import AddedToken, Tokenizer

from spring.errors import BackboneError, PromptError
from spring.models.manifest import Manifest, read_manifest
from spring.models.tokenization import LAYOUTS, Tokenization

if TYPE_CHECKING:  # transformers imports torch
    from transformers import PreTrainedTokenizerBase


class PlainTokenizer:
    """A `tokenizer.json` with as much of transformers' interface as `Tokenization` uses; special tokens stay text.

    Args:
        tokenizer: the library's.
        bos_token_id: the id that it puts before a text.

    """

    is_fast = True

    def __init__(self, tokenizer: Tokenizer, bos_token_id: int | None) -> None:
        self._tokenizer, self.bos_token_id = tokenizer, bos_token_id
        tokenizer.no_truncation()
        tokenizer.no_padding()

    def __call__(self, text: str, add_special_tokens: bool = True, **_: bool) -> dict[str, list[Any]]:
        """Ids, offsets and which ids are special; all of them, whichever are asked for."""
        self._tokenizer.encode_special_tokens = True  # a copy of the library's object forgets it
        encoding = self._tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return {
            "input_ids": encoding.ids,
            "offset_mapping": encoding.offsets,
            "special_tokens_mask": encoding.special_tokens_mask,
        }

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **_: bool) -> str:
        """Text of ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def add_tokens(self, tokens: Sequence[AddedToken]) -> None:
        """Let the tokenizer know more tokens."""
        self._tokenizer.add_tokens(list(tokens))

    def convert_tokens_to_ids(self, token: str) -> int | None:
        """The id of a token."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found


@dataclass(frozen=True, eq=False)
class ExportedTokenization(Tokenization):
    """A tokenization whose chat template was written out as ids when the model was exported."""

    chat_ids: tuple[list[int], list[int]] | None = None

    @cached_property
    def chat_frame(self) -> tuple[list[int], list[int]]:
        """Ids of the chat template before and after a user's message."""
        if self.chat_ids is None:
            raise PromptError(f"The tokenizer of {self.name} has no chat template: leave out the baseline chat.")
        return self.chat_ids


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """What an engine without weights knows of a model."""

    folder: Path
    manifest: Manifest
    tokenization: Tokenization


def read_exported(folder: Path, layout: str = "training") -> ExportedModel:
    """Read a folder that `spring export` made; the weights need not be there.

    Raises:
        BackboneError: it is none, or is broken.

    """
    if layout not in LAYOUTS:
        raise BackboneError(f"There is no layout {layout!r}: choose one of {', '.join(LAYOUTS)}.")
    manifest = read_manifest(folder)
    path = folder / "tokenizer.json"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BackboneError(f"{path} is missing: export the model again.") from error
    if hashlib.sha256(text).hexdigest() != manifest.tokenizer_file:
        raise BackboneError(f"{path} is not the one that was exported: export the model again.")
    tokenizer = Tokenizer.from_buffer(text)
    plain = cast("PreTrainedTokenizerBase", PlainTokenizer(tokenizer, manifest.bos_id))
    frame = (list(manifest.chat.head), list(manifest.chat.tail)) if manifest.chat else None
    return ExportedModel(folder, manifest, ExportedTokenization(manifest.backbone, plain, layout, frame))
