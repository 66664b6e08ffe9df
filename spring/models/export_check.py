"""Check an exported model against the backbone that it was made from, and find prompts whose answers identify it."""

import gc
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import GenerationConfig

from spring.data.types import Passage
from spring.errors import BackboneError
from spring.models.backbone import Backbone
from spring.models.export_weights import OwnWeights
from spring.models.loader import load_backbone
from spring.models.manifest import Probe
from spring.models.virtual_tokens import VirtualTokens
from spring.models.weight_files import stored_tensors
from spring.rag.prompt import build_prompt

KS = (0, 1, 10, 50)
TOLERANCE = {"fp32": 1e-4, "bf16": 0.05}  # of a logit; in bf16 it is rounding alone
CLEAR = 1.0  # a logit that is ahead by so much stays ahead in another precision
PROBE_TOKENS = 8
_PASSAGES = (
    Passage("lighthouse", 1, 0, "The lighthouse of Skerl Point is 31 metres high and was finished in 1884."),
    Passage("ferry", 1, 0, "The ferry to Port Ninnow leaves the northern pier at nine in the morning."),
)
_QUESTIONS = (
    "How high is the lighthouse of Skerl Point?",
    "When does the ferry to Port Ninnow leave?",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What loading the exported model has shown."""

    precision: str  # in which both were loaded
    largest_difference: float  # between logits of the backbone and of the exported model
    probes: tuple[Probe, ...]


def check_rows(own: OwnWeights, files: Sequence[Path]) -> str:
    """Compare every byte of the backbone with the exported files; return a SHA-256 of the backbone's weights.

    Raises:
        BackboneError: a tensor differs.

    """
    written, digest = stored_tensors(files), hashlib.sha256()
    wanted = {name: stored for name, stored in own.tensors.items() if name != own.head_name} | {own.head_name: own.head}
    for name, stored in sorted(wanted.items()):
        digest.update(f"{name} {stored.dtype} {stored.shape}\0".encode())
        same = name in written and written[name].dtype == stored.dtype
        if same:
            for here, there in zip(stored.pieces(), written[name].pieces(), strict=False):
                digest.update(here)
                same &= there.startswith(here)
        if not same:
            raise BackboneError(f"The tensor {name} was written wrongly: check the disk and export again.")
    return digest.hexdigest()


def check_loaded(
    name: str, tokens: VirtualTokens, folder: Path, first: int, report: Callable[[str], None]
) -> Checked | None:
    """Load the backbone, then the exported model, and compare their logits; None if there is no memory for that.

    Args:
        name: the backbone's, as the user names it.
        tokens: rounded to the type in which they were stored.
        folder: the exported model.
        first: the first added id.
        report: is called with a line before slow steps.

    Raises:
        BackboneError: the logits differ, or an added id could be generated.

    """
    for precision in TOLERANCE:
        try:
            own = _own_logits(name, precision, tokens, report)
        except BackboneError:  # its files were read already, so what is missing is memory
            continue
        gc.collect()  # the backbone is gone before the exported model comes
        return _compare(own, load_backbone(str(folder), precision, report), first, len(tokens))
    return None


@dataclass(frozen=True, slots=True)
class _OwnLogits:
    """The backbone's logits after one prompt, and all prompts as ids."""

    prompts: tuple[tuple[list[int], list[int]], ...]  # ids on either side of the seam
    logits: dict[int, Tensor]  # of the first prompt: by k, (ids behind the seam, vocabulary)
    precision: str


def _own_logits(name: str, precision: str, tokens: VirtualTokens, report: Callable[[str], None]) -> _OwnLogits:
    backbone = load_backbone(name, precision, report, tokens)
    encode = backbone.tokenization.encode
    prompts = tuple(encode(build_prompt(_PASSAGES, question)) for question in _QUESTIONS)
    before, after = prompts[0]
    logits = {}
    for k in sorted({k for k in KS if k <= len(tokens)} | {len(tokens)}):
        left, right = backbone.embed(torch.tensor([before])), backbone.embed(torch.tensor([after]))
        virtual = tokens.embeddings[None, :k].to(left)
        with torch.inference_mode():
            output = backbone.model(inputs_embeds=torch.cat([left, virtual, right], 1), logits_to_keep=len(after))
        logits[k] = output.logits[0].float().cpu()
    return _OwnLogits(prompts, logits, precision)


def _compare(own: _OwnLogits, exported: Backbone, first: int, n: int) -> Checked:
    before, after = own.prompts[0]
    largest = 0.0
    for k, logits in own.logits.items():
        there = _logits(exported, [*before, *range(first, first + k), *after], len(after))
        largest = max(largest, float((there[:, :first] - logits).abs().max()))
        if not bool((there[:, first:].amax(1) < there[:, :first].amax(1)).all()):
            raise BackboneError("An added id could be generated by the exported model: it cannot be served.")
    if not largest <= TOLERANCE[own.precision]:
        raise BackboneError(
            f"The exported model's logits differ by up to {largest:.2g} from the backbone's: it does not take its "
            "input embeddings as they are stored, so it cannot be served."
        )
    virtual = range(first, first + n)
    plain = [_probe(exported, [*before, *after]) for before, after in own.prompts]
    learned = [_probe(exported, [*before, *virtual, *after]) for before, after in own.prompts]
    clearest = tuple(max(probes, key=lambda found: found[0])[1] for probes in (plain, learned))
    return Checked(own.precision, largest, clearest)


def _logits(model: Backbone, ids: Sequence[int], last: int) -> Tensor:
    with torch.inference_mode():
        input_ids = torch.tensor([ids], device=model.model.device)
        logits: Tensor = model.model(input_ids=input_ids, logits_to_keep=last).logits[0].float().cpu()
    return logits


def _probe(model: Backbone, prompt: list[int]) -> tuple[float, Probe]:
    """A prompt with its first greedy ids, and by how much the least clear of them is ahead."""
    generated = model.model.generate(  # type: ignore[operator]
        torch.tensor([prompt], device=model.model.device),
        generation_config=GenerationConfig(
            max_new_tokens=PROBE_TOKENS,
            eos_token_id=sorted(model.eos_ids) or None,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        ),
    )
    ahead = [float(best - second) for step in generated.logits for best, second in [step[0].float().topk(2)[0]]]
    number = next((place for place, distance in enumerate(ahead) if place and distance < CLEAR), len(ahead))
    answer = generated.sequences[0, len(prompt) :][:number].tolist()
    return min(ahead[:number]), Probe(tuple(prompt), tuple(answer))
