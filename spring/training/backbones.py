"""Check and prepare backbones that are learned through."""

import torch

from spring.errors import BackboneError, PromptError
from spring.models.backbone import Backbone
from spring.models.size import BESIDE


def training_precision(given: str) -> str:
    """What a precision that a user names means for training: "auto" is fp32 on a CPU, whatever answers fastest."""
    return "fp32" if given == "auto" and not torch.cuda.is_available() else given


def require_one_set_of_weights(backbone: Backbone) -> None:
    """Refuse a backbone that reads with other weights than it writes with.

    Raises:
        PromptError: its precision is for answering alone.

    """
    if backbone.precision in BESIDE:
        raise PromptError(
            f"The precision {backbone.precision} is for answering: learn in fp32 or bf16, with --also-4bit if wanted."
        )


def prepare_attention(backbone: Backbone) -> None:
    """Select the attention function for training.

    On a CPU the backward pass of fused attention takes three times as long as that of eager attention.
    """
    if backbone.model.device.type == "cpu":
        backbone.model.set_attn_implementation("eager")


def restore_attention(backbone: Backbone) -> None:
    """Select the attention function for answering, where `prepare_attention` took another one."""
    if backbone.model.device.type == "cpu":
        backbone.model.set_attn_implementation("sdpa")


@torch.no_grad()
def require_plain_logits(backbone: Backbone) -> None:
    """Refuse a backbone whose logits are not the plain output of its output layer, which the loss computes.

    Raises:
        BackboneError: the model scales or caps its logits, as Granite, Cohere and Gemma 2 do.

    """
    model = backbone.model
    ids = torch.tensor([[backbone.end_id]], device=model.device)
    logits = model.get_output_embeddings()(model.base_model(input_ids=ids).last_hidden_state)
    if not torch.allclose(model(input_ids=ids).logits.to(logits), logits, rtol=1e-2, atol=1e-3):
        raise BackboneError(
            f"{backbone.name} scales or caps its logits, which training does not support: choose another backbone."
        )


def require_one_device(backbone: Backbone) -> None:
    """Refuse a backbone on several GPUs: their keys and values cannot be stored as one tensor.

    Raises:
        PromptError: it is spread over several.

    """
    if len(set(getattr(backbone.model, "hf_device_map", {}).values())) > 1:
        raise PromptError(
            f"{backbone.name} is spread over several GPUs, whose keys and values cannot be kept on disk: "
            "leave --draws out."
        )
