"""What 4-bit weights make of a model, in a form that is fast to learn through."""

import copy
from dataclasses import replace

from bitsandbytes import functional
from torch import nn

from spring.errors import BackboneError, PromptError
from spring.models.backbone import Backbone
from spring.models.catalog import PACKED_BYTES
from spring.models.memory import free_bytes, size_of


def rounded_to_4bit(backbone: Backbone) -> Backbone:
    """A copy of a backbone whose linear weights are what NF4 makes of them, held in its own precision.

    Learning through it is learning through the 4-bit backbone, without unpacking its weights at every pass.

    Raises:
        PromptError: its weights are packed already.
        BackboneError: there is no room for a copy.

    """
    if backbone.precision in PACKED_BYTES:
        raise PromptError(f"The weights are in {backbone.precision} already: --also-4bit goes with bf16 or fp32.")
    gpu = backbone.model.device.type != "cpu"
    if size_of(backbone.model).bytes_needed(backbone.precision, gpu) > free_bytes(gpu):
        raise BackboneError(
            f"There is no room for a second copy of {backbone.name}, rounded to 4 bits: leave out --also-4bit."
        )
    model = copy.deepcopy(backbone.model)
    head = model.get_output_embeddings()
    for module in model.modules():
        if type(module) is nn.Linear and module is not head:  # 4-bit loading leaves the head as it is
            packed, state = functional.quantize_4bit(module.weight.data.float(), quant_type="nf4")
            module.weight.data = functional.dequantize_4bit(packed, state).to(module.weight.dtype)
    return replace(backbone, model=model, precision=f"{backbone.precision}, rounded to 4 bits")
