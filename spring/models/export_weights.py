"""The weights of an exported model: a backbone's own, with rows for the virtual tokens.

The tokens become rows of the input embeddings, behind the backbone's own. Servers want as many output rows as input
rows. An added output row is the mean of the backbone's rows, so its logit is the mean of theirs, which is never the
largest.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel

from spring.errors import BackboneError
from spring.models.backbone import require_plain_attention
from spring.models.finder import Source
from spring.models.hub import HubError, fetch
from spring.models.memory import model_without_weights
from spring.models.virtual_tokens import VirtualTokens
from spring.models.weight_files import INDEX, PIECE, SINGLE, StoredTensor, TensorToWrite, stored_tensors

TORCH_TYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """A backbone's stored tensors, and which of them get more rows."""

    tensors: dict[str, StoredTensor]
    embeddings: StoredTensor
    head: StoredTensor  # the embeddings once more where they are tied
    head_name: str  # of the output layer's weights, which tied ones lack in the files
    bias: StoredTensor | None  # of the output layer
    config: dict[str, Any]  # config.json as it is
    context_length: int

    @property
    def rows(self) -> int:
        """The backbone's vocabulary."""
        return self.embeddings.shape[0]


def own_weights(source: Source) -> OwnWeights:
    """Find a backbone's tensors; of the hub's files those that are not here yet are fetched.

    Raises:
        BackboneError: it has no safetensors files, or its embeddings or output layer are of another kind.

    """
    config_path = _file(source, "config.json")
    config = AutoConfig.from_pretrained(config_path.parent)
    require_plain_attention(source.name, config)
    text = config.get_text_config()
    names = _names(model_without_weights(config))
    tensors = stored_tensors(_weight_files(source))
    embeddings, head = tensors.get(names.embeddings), tensors.get(names.head)
    if head is None and text.tie_word_embeddings:
        head = embeddings
    if embeddings is None or head is None:
        raise BackboneError(
            f"{source.name} cannot be exported: its files have no {names.head if embeddings else names.embeddings}."
        )
    if text.tie_word_embeddings:  # a file may hold both; the model uses the embeddings
        head = embeddings
    vocabulary = text.vocab_size
    if embeddings.dtype not in TORCH_TYPES or head.dtype not in TORCH_TYPES:
        raise BackboneError(
            f"{source.name} cannot be exported: its embeddings are neither float32, bfloat16 nor float16."
        )
    if len({vocabulary, embeddings.shape[0], head.shape[0]}) > 1 or len(embeddings.shape) != 2:
        raise BackboneError(
            f"{source.name} cannot be exported: its vocabulary has {vocabulary} ids, its embeddings "
            f"{embeddings.shape[0]} rows and its output layer {head.shape[0]}."
        )
    raw = json.loads(config_path.read_text(encoding="utf-8"))
    return OwnWeights(tensors, embeddings, head, names.head, tensors.get(names.bias), raw, text.max_position_embeddings)


@dataclass(frozen=True, slots=True)
class _Names:
    embeddings: str
    head: str
    bias: str


def _names(model: PreTrainedModel) -> _Names:
    """Names of the weights that get more rows."""
    modules = {module: name for name, module in model.named_modules()}
    head = modules[model.get_output_embeddings()]
    return _Names(f"{modules[model.get_input_embeddings()]}.weight", f"{head}.weight", f"{head}.bias")


def _file(source: Source, name: str) -> Path:
    """A file of the model, fetched if it is on the hub."""
    if Path(source.place).is_dir():
        return Path(source.place) / name
    return fetch(source.place, name, source.revision)


def _weight_files(source: Source) -> list[Path]:
    try:
        index: Path | None = _file(source, INDEX)
    except HubError:
        index = None
    try:
        if index is not None and index.is_file():
            places = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            return [_file(source, name) for name in sorted(set(places))]
        single = _file(source, SINGLE)
    except HubError as error:
        raise BackboneError(f"The weights of {source.name} could not be fetched: {error}.") from error
    if not single.is_file():
        raise BackboneError(f"{source.place} has no weights in safetensors files, which an export needs.")
    return [single]


# --- the added rows ---


def to_bytes(values: Tensor, dtype: str) -> bytes:
    """The values as stored in a type of safetensors."""
    return bytes(values.to(TORCH_TYPES[dtype]).contiguous().view(torch.uint8).numpy().tobytes())


def mean_row(stored: StoredTensor) -> Tensor:
    """The mean of a tensor's rows, float64; it is read in pieces."""
    width = stored.shape[1] if len(stored.shape) > 1 else 1
    dtype = TORCH_TYPES[stored.dtype]
    row_bytes = width * dtype.itemsize
    total = torch.zeros(width, dtype=torch.float64)
    for piece in stored.pieces(max(1, PIECE // row_bytes) * row_bytes):
        total += torch.frombuffer(bytearray(piece), dtype=dtype).view(-1, width).sum(0, dtype=torch.float64)
    return total / stored.shape[0]


def _with_rows(stored: StoredTensor, rows: bytes, number: int, name: str) -> TensorToWrite:
    """A stored tensor with rows behind its own."""

    def pieces() -> Iterator[bytes]:
        yield from stored.pieces()
        yield rows

    shape = (stored.shape[0] + number, *stored.shape[1:])
    return TensorToWrite(name, stored.dtype, shape, stored.size + len(rows), pieces)


def tensors_with_tokens(own: OwnWeights, tokens: VirtualTokens) -> list[TensorToWrite]:
    """The exported model's tensors, in the order of the backbone's files."""
    n = len(tokens)
    grown = {own.embeddings.name: to_bytes(tokens.embeddings, own.embeddings.dtype)}
    for stored in (own.head, own.bias):
        if stored is not None and stored is not own.embeddings:
            grown[stored.name] = to_bytes(mean_row(stored), stored.dtype) * n
    skipped = {own.head_name} if own.head is own.embeddings else set()
    tensors = [
        _with_rows(stored, grown[name], n, name) if name in grown else TensorToWrite.copy_of(stored)
        for name, stored in own.tensors.items()
        if name not in skipped
    ]
    if own.head is own.embeddings:
        tensors.append(_with_rows(own.head, to_bytes(mean_row(own.head), own.head.dtype) * n, n, own.head_name))
    return tensors
