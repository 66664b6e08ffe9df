"""Round weights to 4 bits and keep them unpacked, so that training through them is fast."""

import copy
from dataclasses import replace

from bitsandbytes import functional
from torch import nn

from spring.errors import BackboneError, PromptError
from spring.models.backbone import Backbone
from spring.models.memory import free_bytes, size_of
from spring.models.size import PACKED_BYTES


def rounded_to_4bit(backbone: Backbone) -> Backbone:
    """Copy a backbone with its linear weights rounded to NF4 and held in the original precision.

    The gradient through the copy is that through the 4-bit backbone, without unpacking the weights in every pass.

    Raises:
        PromptError: the weights are packed already.
        BackboneError: there is not enough memory for a copy.

    """
    if backbone.precision in PACKED_BYTES:
        raise PromptError(f"The weights are in {backbone.precision} already: use --also-4bit with bf16 or fp32.")
    gpu = backbone.model.device.type != "cpu"
    if size_of(backbone.model).bytes_needed(backbone.precision, gpu) > free_bytes(gpu):
        raise BackboneError(
            f"There is not enough memory for a second copy of {backbone.name} in 4 bits: leave out --also-4bit."
        )
    model = copy.deepcopy(backbone.model)
    head = model.get_output_embeddings()
    for module in model.modules():
        if type(module) is nn.Linear and module is not head:  # 4-bit loading leaves the head as it is
            packed, state = functional.quantize_4bit(module.weight.data.float(), quant_type="nf4")
            module.weight.data = functional.dequantize_4bit(packed, state).to(module.weight.dtype)
    return replace(backbone, model=model, precision=f"{backbone.precision}, rounded to 4 bits")
