"""The frozen language model, with its tokenization."""

import hashlib
import sys
from dataclasses import dataclass
from functools import cached_property
from inspect import signature

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.masking_utils import create_sliding_window_causal_mask

from spring.errors import BackboneError, PromptError
from spring.models.tokenization import Tokenization
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import INSTRUCTION, Prompt
from spring.settings import DEFAULT_BACKBONE

FINGERPRINT_VALUES = 65_536  # of each tensor
WINDOW_MASK = create_sliding_window_causal_mask.__name__  # transformers' models import it where they have a window


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen causal language model and its tokenization; neither is ever changed.

    Attributes:
        model: the weights; gradients are switched off.
        tokenization: prompts to ids and back.
        precision: of the weights, for example "fp32" or "4bit".
        precision_reason: why it is this one, in words.

    Raises:
        BackboneError: the model's attention cannot be cached as keys and values.

    """

    model: PreTrainedModel
    tokenization: Tokenization
    precision: str
    precision_reason: str = "as asked for"

    def __post_init__(self) -> None:
        require_plain_attention(self.name, self.model.config)
        self.model.requires_grad_(False).eval()

    @property
    def name(self) -> str:
        """Name in the table, hub id or folder name."""
        return self.tokenization.name

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The fast tokenizer."""
        return self.tokenization.tokenizer

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
        """Most tokens of input and output together."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    @cached_property
    def window(self) -> int | None:
        """Tokens that a layer with a sliding window sees, the newest included; None: every layer sees all.

        A configuration may name a window, or 0, though no layer has one, or though the model's code knows none.
        """
        config = self.model.config.get_text_config()
        slides = any(isinstance(layer, DynamicSlidingWindowLayer) for layer in DynamicCache(config=config).layers)
        known = hasattr(sys.modules[type(self.model).__module__], WINDOW_MASK)
        return getattr(config, "sliding_window", None) if slides and known else None

    @cached_property
    def mixed(self) -> bool:
        """Whether some layers have a sliding window and others see all."""
        return len({type(layer) for layer in DynamicCache(config=self.model.config.get_text_config()).layers}) > 1

    @cached_property
    def cache_keyword(self) -> str:
        """The model's argument for its key/value cache: `cache` since transformers 5.24, else `past_key_values`."""
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
    def fingerprint(self) -> str:
        """A SHA-256 of the weights: of each tensor its name, its shape, and at most 65,536 values spread over it."""
        digest = hashlib.sha256()
        for name, weights in self.model.named_parameters():
            digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}\0".encode())
            values = weights.detach().flatten()
            values = values[:: max(1, len(values) // FINGERPRINT_VALUES)]
            digest.update(values.float().cpu().numpy().tobytes())
        return digest.hexdigest()

    @property
    def end_id(self) -> int:
        """The id that should end an answer: the tokenizer's, if the model knows it as one that does.

        Raises:
            BackboneError: the model has no end-of-sequence token.

        """
        end = self.tokenizer.eos_token_id
        if not self.eos_ids:
            raise BackboneError(f"{self.name} has no end-of-sequence token.")
        return int(end) if end in self.eos_ids else min(self.eos_ids)

    def embed(self, ids: Tensor) -> Tensor:
        """Input embeddings: ids (...) -> (..., hidden)."""
        embedded: Tensor = self.model.get_input_embeddings()(ids.to(self.model.device))
        return embedded

    def encode_answer(self, prompt: Prompt, answer: str) -> tuple[list[int], list[int], list[int]]:
        """Return the ids left of the seam, right of it, and of the answer with the end-of-sequence token."""
        before, after = self.tokenization.encode(prompt)
        return before, after, self.answer_ids(prompt, before + after, answer)

    def answer_ids(self, prompt: Prompt, encoded: list[int], answer: str) -> list[int]:
        """Ids of an answer and the end-of-sequence token, behind a prompt whose ids of both sides are `encoded`."""
        ids = self.tokenization.answer_ids(prompt, encoded, answer)
        return [*(id for id in ids if id not in self.eos_ids and id != self.tokenizer.bos_token_id), self.end_id]

    def initial_virtual_tokens(self, n: int = 50, text: str = INSTRUCTION) -> VirtualTokens:
        """The embeddings of a text, repeated or cut to n; by default the paper's instruction (section 3.2).

        The end-of-sequence token may be written in the text: here, unlike in documents, it counts as that token.

        Raises:
            PromptError: the text has no tokens.

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


def require_plain_attention(name: str, config: PreTrainedConfig) -> None:
    """Refuse a model whose cache holds more than keys and values, or that encodes positions as distances.

    Raises:
        BackboneError: with another backbone to choose.

    """
    text = config.get_text_config()
    layers = DynamicCache(config=text).layers
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    distances = getattr(text, "alibi", False) or not hasattr(text, "max_position_embeddings")  # ALiBi: BLOOM, MPT
    if not layers or not plain or distances:
        raise BackboneError(
            f"{name} is no plain attention model, so its passages cannot be cached: choose the backbone "
            f"{DEFAULT_BACKBONE}, or another with plain attention."
        )
