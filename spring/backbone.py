"""The frozen language model and its tokenizer."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from httpx2 import HTTPError  # what huggingface_hub asks with
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DynamicCache,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.utils import logging as transformers_logging

from spring.cpu import keep_quantized_weights, speed_up_linear
from spring.embedded import DEFAULT_BACKBONE
from spring.errors import BackboneError, PromptError
from spring.finding import Source, find_backbone
from spring.known_backbones import KNOWN_BACKBONES, PACKED_BYTES, PRECISIONS
from spring.memory import embedding_width, gpu_with, model_without_weights, require_memory, size_of
from spring.prompt import INSTRUCTION, Prompt
from spring.seam import LAYOUTS, encode_apart, encode_at_once, parting
from spring.virtual_tokens import VirtualTokens


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen causal language model and its fast tokenizer; nothing here ever changes either of them.

    `layout` says which ids stand beside the virtual tokens: see `spring.seam`.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    precision: str
    layout: str = "training"

    def __post_init__(self) -> None:
        _require_fast_tokenizer(self.name, self.tokenizer)
        _require_plain_attention(self.name, self.model.config)
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


def to_stderr(line: str) -> None:
    """Print a line where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def load_backbone(
    name: str = DEFAULT_BACKBONE,
    precision: str = "auto",
    report: Callable[[str], None] = to_stderr,
    tokens: VirtualTokens | None = None,
    layout: str = "training",
) -> Backbone:
    """Load a backbone by its name in the table, by hub id, or from a local folder.

    Whatever can be refused by its small files is refused before the weights are fetched.

    Args:
        name: e.g. `smollm2-135m-instruct`, `mistralai/Mistral-7B-v0.1`, `./my-model`; the former two may end with
            `@` and a revision of the hub's repository.
        precision: `4bit` (bitsandbytes NF4), `4bit-double` (its scales quantized too), `bf16`, `fp32`, or `auto`:
            4-bit on a GPU, else fp32, which on a CPU is both exact and the fastest.
        report: takes a line on slow steps.
        tokens: virtual tokens that it is loaded for.
        layout: "training" or "recipe" (see `spring.seam`).

    Raises:
        BackboneError: unknown precision or layout, or the model cannot be found or loaded, or does not fit.
        TokenFileError: the virtual tokens are another backbone's.

    """
    for kind, given, known in (("precision", precision, PRECISIONS), ("layout", layout, LAYOUTS)):
        if given not in known:
            raise BackboneError(f"There is no {kind} {given!r}: choose one of {', '.join(known)}.")
    gpu = torch.cuda.is_available()
    if precision == "auto":
        precision = "4bit" if gpu else "fp32"
    source = find_backbone(name, report)
    transformers_logging.disable_progress_bar()
    options: dict[str, Any] = {"revision": source.revision} if source.revision else {}
    try:
        config = AutoConfig.from_pretrained(source.place, **options)
        _require_plain_attention(source.name, config)
        empty = _without_weights(source.name, config)
        if tokens is not None:
            tokens.require(source.name, embedding_width(empty))
        size = size_of(empty)
        require_memory(source.name, size, precision, gpu)
        tokenizer = AutoTokenizer.from_pretrained(source.place, split_special_tokens=True, **options)
        _require_fast_tokenizer(source.name, tokenizer)
        model = AutoModelForCausalLM.from_pretrained(
            source.place, **options, **_loading_options(precision, gpu, size.bytes_needed(precision, gpu))
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError, HTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"The backbone {source.name} could not be loaded from {source.place} ({reason}). {_instead_of(source)}"
        ) from error
    if gpu:
        _require_whole_on_gpu(source.name, model, precision)
    keep_quantized_weights(model)
    speed_up_linear(model)
    return Backbone(source.name, model, tokenizer, precision, layout)


def _instead_of(source: Source) -> str:
    """What to do where loading failed. The hub's config.json was fetched already, so there the id is right."""
    if Path(source.place).is_dir():
        return f"It must be one of {', '.join(KNOWN_BACKBONES)}, a model folder, or an id on a hub that can be reached."
    return (
        "If the connection to the hub was lost, start again, and what has come is kept; "
        f"else choose {'another backbone' if source.name == DEFAULT_BACKBONE else f'the backbone {DEFAULT_BACKBONE}'}."
    )


def _require_fast_tokenizer(name: str, tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.is_fast:
        raise BackboneError(
            f"{name} has no fast tokenizer (tokenizer.json), which finding the seam needs: choose the backbone "
            f"{DEFAULT_BACKBONE}, or another that has one."
        )


def _require_whole_on_gpu(name: str, model: PreTrainedModel, precision: str) -> None:
    """Refuse layers that were put elsewhere: transformers fills nine tenths of a GPU, then goes on without a word."""
    if {"cpu", "disk"} & {str(place) for place in getattr(model, "hf_device_map", {}).values()}:
        smaller = f"a smaller backbone, {DEFAULT_BACKBONE} for one, or a GPU with more memory"
        raise BackboneError(
            f"The backbone {name} does not fit into the GPU's free memory in {precision}: choose "
            f"{smaller if precision in PACKED_BYTES else f'the precision 4bit, or {smaller}'}."
        )


def _require_plain_attention(name: str, config: PreTrainedConfig) -> None:
    text = config.get_text_config()
    layers = DynamicCache(config=text).layers
    plain = all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)
    distances = getattr(text, "alibi", False) or not hasattr(text, "max_position_embeddings")  # ALiBi: BLOOM, MPT
    if not layers or not plain or distances:
        raise BackboneError(
            f"{name} is no plain attention model, so its passages cannot be cached: choose the backbone "
            f"{DEFAULT_BACKBONE}, or another with plain attention."
        )


def _without_weights(name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """The model without values; refused if it comes packed, or has no attention that takes our masks."""
    if getattr(config, "quantization_config", None) is not None:
        raise BackboneError(
            f"{name} is quantized already: choose the repository that it was made from; --precision packs it."
        )
    try:
        return model_without_weights(config)
    except ValueError as error:
        raise BackboneError(
            f"{name} is no language model with PyTorch's attention ({str(error).strip().splitlines()[0]}): choose the "
            f"backbone {DEFAULT_BACKBONE}, or another that has it."
        ) from error


def _loading_options(precision: str, gpu: bool, needed: int) -> dict[str, Any]:
    dtype = torch.float32 if precision == "fp32" or (precision != "bf16" and not gpu) else torch.bfloat16
    # PyTorch's attention takes its flash kernel by itself where no mask is needed: for reading the passages. Packages
    # of flash attention know no mask that hides some virtual tokens from some rows of a batch.
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": "sdpa"}
    if gpu:
        # A process of several (`accelerate launch`) has a GPU of its own; alone, it may spread over all there are, but
        # "auto" would do so where one suffices, and every token would travel from card to card.
        local = os.environ.get("LOCAL_RANK")
        gpu_alone = gpu_with(needed) if local is None else int(local)
        options["device_map"] = "auto" if gpu_alone is None else {"": gpu_alone}
    if precision in PACKED_BYTES:
        # The library's default compute type, fp32, is slow on a GPU; on a CPU it is the fast one.
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_use_double_quant=precision == "4bit-double",
        )
        options.setdefault("device_map", {"": "cpu"})
    return options
