"""The frozen language model, its tokenizer, and the table of known backbones."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer
from transformers.utils import logging as transformers_logging

from spring.cpu import keep_quantized_weights, speed_up_linear
from spring.embedded import DEFAULT_BACKBONE, embedded_model
from spring.errors import BackboneError, PromptError
from spring.prompt import INSTRUCTION, Prompt
from spring.virtual_tokens import VirtualTokens

Precision = Literal["auto", "4bit", "bf16", "fp32"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class KnownBackbone:
    """One row of the table: where a backbone is found and which file of virtual tokens is its own."""

    name: str
    hub_id: str
    token_file: str = ""  # in virtual_tokens.PUBLISHED_REPOSITORY; empty: none published
    gated: bool = False


KNOWN_BACKBONES: Mapping[str, KnownBackbone] = MappingProxyType(
    {
        known.name: known
        for known in (
            KnownBackbone(DEFAULT_BACKBONE, "HuggingFaceTB/SmolLM2-135M-Instruct"),
            KnownBackbone(
                "mistral-7b-instruct",
                "mistralai/Mistral-7B-Instruct-v0.1",
                "mistral.7b.instruct.added_token_embeddings.pt",
            ),
            KnownBackbone("mistral-7b", "mistralai/Mistral-7B-v0.1", "mistral.7b.base.added_token_embeddings.pt"),
            KnownBackbone(
                "llama-2-7b-chat",
                "meta-llama/Llama-2-7b-chat-hf",
                "llama2.7b.chat.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-7b",
                "meta-llama/Llama-2-7b-hf",
                "llama2.7b.base.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-13b-chat",
                "meta-llama/Llama-2-13b-chat-hf",
                "llama2.13b.chat.added_token_embeddings.pt",
                gated=True,
            ),
            KnownBackbone(
                "llama-2-13b",
                "meta-llama/Llama-2-13b-hf",
                "llama2.13b.base.added_token_embeddings.pt",
                gated=True,
            ),
        )
    }
)


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen causal language model and its fast tokenizer; nothing here ever changes either of them."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    precision: str

    def __post_init__(self) -> None:
        if not self.tokenizer.is_fast:
            raise BackboneError(f"{self.name} has no fast tokenizer (tokenizer.json), which finding the seam needs.")
        layers = DynamicCache(config=self.model.config.get_text_config()).layers
        if not layers or any(type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
            raise BackboneError(f"{self.name} is no plain attention model; its passages cannot be cached.")
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
        """Tokens that a layer with a sliding window sees, the newest included; None: every layer sees all."""
        return getattr(self.model.config.get_text_config(), "sliding_window", None)

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
        """Ids that end an answer, as `model.generate` sees them."""
        config = self.model.generation_config
        eos = config.eos_token_id if config is not None else None
        return frozenset() if eos is None else frozenset([eos] if isinstance(eos, int) else eos)

    def encode(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Return the ids left and right of the seam.

        The whole text is encoded at once and then split by character offsets, so that the ids are the same for
        every k and equal to the plain prompt's: encoding the halves apart goes wrong on SentencePiece tokenizers,
        which put a space mark before every text. Special tokens written in a document stay text, because the
        tokenizer was loaded with `split_special_tokens=True`.
        """
        encoded = self.tokenizer(str(prompt), return_offsets_mapping=True, return_special_tokens_mask=True)
        ids, offsets, special = encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"]
        while special and special[-1]:  # an end-of-sequence mark would end the prompt before the answer
            ids, offsets, special = ids[:-1], offsets[:-1], special[:-1]
        seam = len(prompt.before)
        after = (i for i, (start, _) in enumerate(offsets) if start >= seam and not special[i])
        split = next(after, len(ids))
        if not 0 < split < len(ids):
            raise PromptError("The question has no text that the model can read; please rephrase it.")
        return ids[:split], ids[split:]

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
        if end in self.eos_ids or (isinstance(end, int) and not self.eos_ids):
            return int(end)
        if not self.eos_ids:
            raise BackboneError(f"{self.name} has no end-of-sequence token.")
        return min(self.eos_ids)

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
) -> Backbone:
    """Load a backbone by its name in the table, by hub id, or from a local folder.

    Args:
        name: e.g. `smollm2-135m-instruct`, `mistralai/Mistral-7B-v0.1`, `./my-model`.
        precision: `4bit` (bitsandbytes NF4), `bf16`, `fp32`, or `auto`: 4-bit on a GPU, else fp32, which on a
            CPU is both exact and the fastest.
        report: takes a line on slow steps.

    Raises:
        BackboneError: unknown precision, or the model cannot be found or loaded.

    """
    if precision not in PRECISIONS:
        raise BackboneError(f"There is no precision {precision!r}: choose one of {', '.join(PRECISIONS)}.")
    gpu = torch.cuda.is_available()
    if precision == "auto":
        precision = "4bit" if gpu else "fp32"
    source, name = _source(name, report), known_name(name)
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, split_special_tokens=True)
        model = AutoModelForCausalLM.from_pretrained(source, **_loading_options(precision, gpu))
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"The backbone {name} could not be loaded from {source} ({reason}). It must be one of "
            f"{', '.join(KNOWN_BACKBONES)}, a model folder, or an id on a hub that can be reached."
        ) from error
    keep_quantized_weights(model)
    speed_up_linear(model)
    return Backbone(name, model, tokenizer, precision)


def known_name(name: str) -> str:
    """The table's name of a backbone that is given by its name or hub id; a folder's name; else as given."""
    for known in KNOWN_BACKBONES.values():
        if name in (known.name, known.hub_id):
            return known.name
    path = Path(name).expanduser()
    return path.resolve().name if path.is_dir() else name


def _source(name: str, report: Callable[[str], None]) -> str:
    """The folder or hub id to load from."""
    known = KNOWN_BACKBONES.get(known_name(name))
    if known is None:
        path = Path(name).expanduser()
        if name.startswith((".", "/", "~")) and not path.is_dir():
            raise BackboneError(f"There is no model folder {name}.")
        return str(path) if path.is_dir() else name
    if known.name == DEFAULT_BACKBONE and (embedded := embedded_model(report)) is not None:
        return str(embedded)
    report(f"Loading {known.name} from the hub: {known.hub_id} ...")
    return known.hub_id


def _loading_options(precision: str, gpu: bool) -> dict[str, Any]:
    dtype = torch.float32 if precision == "fp32" or (precision == "4bit" and not gpu) else torch.bfloat16
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": "sdpa"}
    if gpu:
        # A process of several (`accelerate launch`) has a GPU of its own; alone, it may spread over all there are.
        local = os.environ.get("LOCAL_RANK")
        options["device_map"] = "auto" if local is None else {"": int(local)}
    if precision == "4bit":
        # The library's default compute type, fp32, is slow on a GPU; on a CPU it is the fast one.
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
        options.setdefault("device_map", {"": "cpu"})
    return options
