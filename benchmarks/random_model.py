"""Backbones of a published shape with random weights: the values of the weights do not change the speed."""

from dataclasses import asdict, dataclass

import torch
from bitsandbytes.nn.modules import Linear4bit, Params4bit
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import AutoModelForCausalLM, MistralConfig, PreTrainedModel, PreTrainedTokenizerFast

from spring.models.backbone import Backbone
from spring.models.compute import compute_type
from spring.models.cpu import keep_quantized_weights, speed_up_linear
from spring.models.tokenization import Tokenization


@dataclass(frozen=True, slots=True)
class Shape:
    """Names as in `config.json`."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int
    sliding_window: int


SHAPES = {
    "mistral-7b": Shape(32_000, 4096, 14_336, 32, 32, 8, 32_768, 4096),  # mistralai/Mistral-7B-v0.1
    "smollm2-135m": Shape(49_152, 576, 1536, 30, 9, 3, 8192, 8192),  # but for its output layer, which is its embeddings
    "small": Shape(512, 128, 256, 2, 4, 2, 4096, 4096),  # to try the program on a CPU
}


def config_of(shape: Shape) -> MistralConfig:
    """The configuration of a Mistral, with an output layer of its own as the published one has."""
    return MistralConfig(**asdict(shape), tie_word_embeddings=False)


def random_backbone(name: str, precision: str, device: str) -> Backbone:
    """A Mistral of a shape, as `load_backbone` would load it in `4bit`, `4bit-double`, `bf16` or `fp32`."""
    shape = SHAPES[name]
    packed = precision.startswith("4bit")
    dtype = compute_type(precision, gpu=device == "cuda")
    torch.manual_seed(0)
    with torch.device(device):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config_of(shape), dtype=dtype, attn_implementation="sdpa"
        )
    if packed:
        pack(model, dtype, double=precision == "4bit-double")
    keep_quantized_weights(model)
    speed_up_linear(model)
    return Backbone(model, Tokenization(f"random {name}", byte_tokenizer(shape.vocab_size)), precision)


def pack(model: PreTrainedModel, dtype: torch.dtype, double: bool) -> None:
    """Put 4-bit layers in the place of all linear ones but the output layer, one after the other."""
    head = model.get_output_embeddings()
    linear = [name for name, module in model.named_modules() if type(module) is nn.Linear and module is not head]
    for name in linear:
        parent, _, own = name.rpartition(".")
        full = model.get_submodule(name)
        assert isinstance(full, nn.Linear)
        layer = Linear4bit(  # type: ignore[no-untyped-call]
            full.in_features,
            full.out_features,
            bias=False,
            compute_dtype=dtype,
            compress_statistics=double,
            quant_type="nf4",
            device="meta",
        )
        weight = Params4bit(
            full.weight.data, requires_grad=False, compress_statistics=double, quant_type="nf4", module=layer
        )
        layer.weight = weight.to(full.weight.device)  # type: ignore[misc]  # packs
        setattr(model.get_submodule(parent), own, layer)


def byte_tokenizer(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of a size whose text is bytes; its other tokens do not occur in any."""
    names = ["<unk>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    names += [f"<{i}>" for i in range(len(names), size)]
    backend = Tokenizer(models.BPE(vocab={name: i for i, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", split_special_tokens=True)
