"""The frozen language model and its tokenizer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from spring.errors import BackboneError, PromptError
from spring.models.tokenization import encode_apart, encode_at_once, parting
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import INSTRUCTION, Prompt
from spring.settings import DEFAULT_BACKBONE


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen causal language model and its fast tokenizer; nothing here ever changes either of them.

    `layout` says which ids stand beside the virtual tokens: see `spring.models.tokenization`.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    precision: str
    layout: str = "training"

    def __post_init__(self) -> None:
        require_fast_tokenizer(self.name, self.tokenizer)
        require_plain_attention(self.name, self.model.config)
        self.model.requires_grad_(False).eval()

    @cached_property
    def hidden(self) -> int:
        """Width of an input embedding."""
        return int(self.embed(torch.zeros(1, dtype=torch.long)).shape[-1])

    @cached_property
    def layers(self) -> int:
        """Number of attention layers."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @cached_property
    def context_length(self) -> int:
        """Longest input and output together, in tokens."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    @cached_property
    def window(self) -> int | None:
        """Tokens that a layer with a sliding window sees, the newest included; None: every layer sees all.

        A configuration may name a window, or 0, though no layer has one.
        """
        config = self.model.config.get_text_config()
        slides = any(isinstance(layer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)
        return getattr(config, "sliding_window", None) if slides else None

    @cached_property
    def mixed(self) -> bool:
        """Whether some layers have a sliding window and others see all."""
        return len({type(layer) for layer in DynamicCache(config=self.model.config.get_text_config()).layers}) > 1

    @cached_property
    def cache_keyword(self) -> str:
        """What the model calls its key/value cache: `cache` from transformers 5.24 on, `past_key_values` before."""
        return "cache" if "cache" in signature(type(self.model).forward).parameters else "past_key_values"

    @cached_property
    def eos_ids(self) -> frozenset[int]:
        """Ids that end an answer, as `model.generate` sees them; the tokenizer's where the model names none."""
        config = self.model.generation_config
        eos = config.eos_token_id if config is not None else None
        if eos is None:
            eos = self.tokenizer.eos_token_id
        return frozenset() if eos is None else frozenset([eos] if isinstance(eos, int) else eos)

    @cached_property
    def _parting(self) -> tuple[PreTrainedTokenizerBase, str]:
        return parting(self.tokenizer)

    def encode(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Return the ids left and right of the seam, which are the same for every k.

        Special tokens written in a document stay text, because the tokenizer was loaded with
        `split_special_tokens=True`.

        Raises:
            PromptError: nothing is left on one side.

        """
        if self.layout == "recipe":
            return encode_apart(*self._parting, prompt)
        return encode_at_once(self.tokenizer, prompt)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, without special tokens and outer white space."""
        text = self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text).strip()

    def embed(self, ids: Tensor) -> Tensor:
        """Input embeddings: ids (...) -> (..., hidden)."""
        embedded: Tensor = self.model.get_input_embeddings()(ids.to(self.model.device))
        return embedded

    def initial_virtual_tokens(self, n: int = 50, text: str = INSTRUCTION) -> VirtualTokens:
        """The embeddings of a text, repeated or cut to n; by default the paper's instruction (section 3.2).

        The end-of-sequence token may be written in the text: here, unlike in documents, it is meant.
        """
        end = self.tokenizer.eos_token or ""
        parts = text.split(end) if end else [text]
        ids = [[*self.tokenizer(part, add_special_tokens=False)["input_ids"], self.end_id] for part in parts]
        joined = [id for part in ids for id in part][:-1]
        if not joined:
            raise PromptError("The text of the initial values is empty.")
        repeated = (joined * (n // len(joined) + 1))[:n]
        with torch.no_grad():
            return VirtualTokens(self.embed(torch.tensor(repeated)).float().cpu(), self.name)

    @property
    def end_id(self) -> int:
        """The id that should end an answer: the tokenizer's, if the model knows it as one that does.

        Raises:
            BackboneError: nothing ends an answer of this model.

        """
        end = self.tokenizer.eos_token_id
        if not self.eos_ids:
            raise BackboneError(f"{self.name} has no end-of-sequence token.")
        return int(end) if end in self.eos_ids else min(self.eos_ids)

    def encode_answer(self, prompt: Prompt, answer: str) -> tuple[list[int], list[int], list[int]]:
        """Return the ids left of the seam, right of it, and of the answer with the end-of-sequence token.

        The prompt's ids are those of `encode`; where the answer would melt into them it is encoded apart.
        """
        before, after = self.encode(prompt)
        whole = self.tokenizer(f"{prompt} {answer}")["input_ids"]
        length = len(before) + len(after)
        ids = whole[length:] if whole[:length] == before + after else self.tokenizer(answer)["input_ids"]
        ids = [id for id in ids if id not in self.eos_ids and id != self.tokenizer.bos_token_id]
        return before, after, [*ids, self.end_id]


def require_fast_tokenizer(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a tokenizer without offsets."""
    if not tokenizer.is_fast:
        raise BackboneError(
            f"{name} has no fast tokenizer (tokenizer.json), which finding the seam needs: choose the backbone "
            f"{DEFAULT_BACKBONE}, or another that has one."
        )


def require_plain_attention(name: str, config: PreTrainedConfig) -> None:
    """Refuse a model whose cache is not keys and values alone, or that tells positions by distances."""
    text = config.get_text_config()
    layers = DynamicCache(config=text).layers
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    distances = getattr(text, "alibi", False) or not hasattr(text, "max_position_embeddings")  # ALiBi: BLOOM, MPT
    if not layers or not plain or distances:
        raise BackboneError(
            f"{name} is no plain attention model, so its passages cannot be cached: choose the backbone "
            f"{DEFAULT_BACKBONE}, or another with plain attention."
        )
