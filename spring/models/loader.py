"""Load a backbone: find it, check its small files, then load its weights in the requested precision."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from httpx2 import HTTPError  # what huggingface_hub asks with
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from spring.errors import BackboneError
from spring.models.backbone import Backbone, require_plain_attention
from spring.models.bundled import is_embedded
from spring.models.catalog import KNOWN_BACKBONES, PRECISIONS
from spring.models.compute import compute_type
from spring.models.cpu import keep_quantized_weights, speed_up_linear
from spring.models.finder import Source, find_backbone
from spring.models.memory import (
    embedding_width,
    fits_memory,
    gpu_with,
    model_without_weights,
    require_memory,
    size_of,
)
from spring.models.packed_files import pack_model, packed_folder, read_packed_model
from spring.models.precision import choose_precision
from spring.models.size import BESIDE, PACKED_BYTES
from spring.models.tokenization import LAYOUTS, Tokenization
from spring.models.virtual_tokens import VirtualTokens
from spring.settings import DEFAULT_BACKBONE


def to_stderr(line: str) -> None:
    """Print a line on the standard error stream, apart from results."""
    print(line, file=sys.stderr, flush=True)


def load_backbone(
    name: str = DEFAULT_BACKBONE,
    precision: str = "auto",
    report: Callable[[str], None] = to_stderr,
    tokens: VirtualTokens | None = None,
    layout: str = "training",
    learning: bool = False,
) -> Backbone:
    """Load a backbone by its name in the table, by hub id, or from a local folder.

    A backbone that can be refused by its small files is refused before the weights are fetched.

    Args:
        name: e.g. `smollm2-135m-instruct`, `mistralai/Mistral-7B-v0.1`, `./my-model`; the former two may end with
            `@` and a revision of the hub's repository.
        precision: `4bit` (bitsandbytes NF4), `4bit-double` (its scales quantized too), `bf16`, `fp32`, on a CPU `int4`
            (bf16 to read, 4 bits to write), `int4-int8` (8 bits to read) and `int4-fp32` (fp32 to read), or `auto`:
            `4bit` on a GPU, else the fastest of `fp32` and these three.
        report: is called with a line before slow steps.
        tokens: the virtual tokens to be used with it, to check them early.
        layout: "training", "recipe" or "front" (see `spring.models.tokenization`).
        learning: whether gradients will flow through it (see `spring.models.compute`).

    Raises:
        BackboneError: unknown precision or layout, or the model cannot be found or loaded, or does not fit.
        TokenFileError: the virtual tokens are another backbone's.

    """
    for kind, given, known in (("precision", precision, PRECISIONS), ("layout", layout, LAYOUTS)):
        if given not in known:
            raise BackboneError(f"There is no {kind} {given!r}: choose one of {', '.join(known)}.")
    gpu = torch.cuda.is_available()
    if precision in BESIDE and gpu:
        raise BackboneError(f"The precision {precision} is for processors: choose 4bit, which is for GPUs.")
    source = find_backbone(name, report)
    transformers_logging.disable_progress_bar()
    options: dict[str, Any] = {"revision": source.revision} if source.revision else {}
    try:
        config = AutoConfig.from_pretrained(source.place, **options)
        require_plain_attention(source.name, config)
        empty = _without_weights(source.name, config)
        if tokens is not None:
            tokens.require(source.name, embedding_width(empty))
        size = size_of(empty)
        choice = choose_precision(precision, gpu, lambda precision: fits_memory(size, precision, gpu))
        precision, compute = choice.precision, compute_type(choice.precision, gpu, learning)
        require_memory(source.name, size, precision, gpu)
        tokenizer = AutoTokenizer.from_pretrained(source.place, split_special_tokens=True, **options)
        tokenization = Tokenization(source.name, tokenizer, layout)  # refuses a slow one before the weights are fetched
        if precision in BESIDE:
            model = _with_packed_weights(source, precision, options, report)
        else:
            options |= _loading_options(precision, compute, gpu, size.bytes_needed(precision, gpu))
            model = AutoModelForCausalLM.from_pretrained(source.place, **options)
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError, HTTPError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BackboneError(
            f"The backbone {source.name} could not be loaded from {source.place} ({reason}). {_instead_of(source)}"
        ) from error
    if gpu:
        _require_whole_on_gpu(source.name, model, precision)
    keep_quantized_weights(model)
    speed_up_linear(model)
    emulated = "; computed in fp16, as this card has no bf16" if compute == torch.float16 else ""
    return Backbone(model, tokenization, precision, f"{choice.reason}{emulated}")


def _with_packed_weights(
    source: Source, precision: str, options: dict[str, Any], report: Callable[[str], None]
) -> PreTrainedModel:
    """Load a model with packed weights for few rows. The embedded one is packed once and kept on disk."""
    folder = packed_folder(Path(source.place), precision) if is_embedded(source.place) else None
    if folder is not None and (kept := read_packed_model(folder, precision)) is not None:
        return kept
    report(f"Packing the weights of {source.name} into 4 bits ...")
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        source.place, **options, dtype="auto", attn_implementation="sdpa"
    )
    pack_model(model, precision, folder, report)
    return model


def _instead_of(source: Source) -> str:
    """What to do if loading failed. On the hub config.json was fetched before, so the id is right."""
    if Path(source.place).is_dir():
        return f"It must be one of {', '.join(KNOWN_BACKBONES)}, a model folder, or an id on a hub that can be reached."
    return (
        "If the connection to the hub was lost, start again, and what has come is kept; "
        f"else choose {'another backbone' if source.name == DEFAULT_BACKBONE else f'the backbone {DEFAULT_BACKBONE}'}."
    )


def _require_whole_on_gpu(name: str, model: PreTrainedModel, precision: str) -> None:
    """Refuse layers outside the GPU: transformers fills nine tenths of it, then silently uses the CPU and the disk."""
    if {"cpu", "disk"} & {str(place) for place in getattr(model, "hf_device_map", {}).values()}:
        smaller = f"a smaller backbone, {DEFAULT_BACKBONE} for one, or a GPU with more memory"
        raise BackboneError(
            f"The backbone {name} does not fit into the GPU's free memory in {precision}: choose "
            f"{smaller if precision in PACKED_BYTES else f'the precision 4bit, or {smaller}'}."
        )


def _without_weights(name: str, config: PreTrainedConfig) -> PreTrainedModel:
    """The model without weights; refused if it is quantized already, or its attention does not take our masks."""
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


def _loading_options(precision: str, compute: torch.dtype, gpu: bool, needed: int) -> dict[str, Any]:
    # PyTorch's attention uses its flash kernel where no mask is needed: for reading the passages. The packages for
    # flash attention have no mask that hides some virtual tokens from some rows of a batch.
    options: dict[str, Any] = {"dtype": compute, "attn_implementation": "sdpa"}
    if gpu:
        # One of several processes (`accelerate launch`) has a GPU of its own. A single process may use all, but "auto"
        # would spread the model even where one GPU suffices, and every token would travel between them.
        local = os.environ.get("LOCAL_RANK")
        gpu_alone = gpu_with(needed) if local is None else int(local)
        options["device_map"] = "auto" if gpu_alone is None else {"": gpu_alone}
    if precision in PACKED_BYTES:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=compute,
            bnb_4bit_use_double_quant=precision == "4bit-double",
        )
        options.setdefault("device_map", {"": "cpu"})
    return options
