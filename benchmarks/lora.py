"""A LoRA adapter learned as a reference for the virtual tokens: same questions, same prompts, same scoring.

    python -m benchmarks.lora train.jsonl --corpus corpus.jsonl --dev dev.jsonl --output runs/lora [--device cuda]

Rank 16 on all linear layers (peft), AdamW at 5e-4 with warm-up and cosine, 160 steps of 32 samples. The folder keeps a
checkpoint, and the same command goes on from it; `--steps-now N` ends after N steps more. `--scope question` applies
the adapter to question and answer alone, so that the passages' cache stays the backbone's (activated LoRA, arXiv
2504.12397). Keys: `steps` and `seconds_per_step`, `numbers` (learned) of adapter and tokens, `rows` (the adapter and
the shipped tokens on the dev questions, in this run) and `backbone_unchanged` (its weights, bit by bit).
Needs peft, which tests/requirements.txt has.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from spring.data.questions import Question, read_questions
from spring.errors import PromptError
from spring.evaluation.results import rows_as_json
from spring.evaluation.runner import evaluate
from spring.evaluation.summary import Summary, summarize
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import LocalEngine
from spring.models.backbone import Backbone
from spring.models.finder import find_tokens
from spring.models.loader import load_backbone
from spring.rag.retriever import Retriever
from spring.settings import DEFAULT_BACKBONE
from spring.training.backbones import training_precision
from spring.training.examples import Examples, SampleSettings, gold_passages
from spring.training.loss import Example
from spring.training.prefix_states import PrefixStates
from spring.training.settings import TrainingSettings

SCOPES = ("all", "question")
DEV_PASSAGES = 3


@dataclass(frozen=True)
class LoraSettings:
    """What is learned, and how."""

    rank: int = 16
    scope: str = "all"
    steps: int = 160
    batch: int = 32
    micro_batch: int = 4  # samples in one forward pass
    learning_rate: float = 5e-4
    seed: int = 0


class Adapter:
    """A LoRA adapter inside a backbone, whose own weights stay as they are.

    With the scope "question" it is on while the model computes logits, which is for question and answer, and off while
    the inner model alone reads passages (`PrefixStates`, and `read_piece` of the stream).
    """

    def __init__(self, backbone: Backbone, settings: LoraSettings) -> None:
        self.backbone, self.settings = backbone, settings
        torch.manual_seed(settings.seed)
        inject_adapter_in_model(
            LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear"), backbone.model
        )
        self.parameters = {name: p for name, p in backbone.model.named_parameters() if "lora_" in name}
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()  # steps of 5e-4 are lost in bf16
            parameter.requires_grad_(True)
        self._layers = [module for module in backbone.model.modules() if isinstance(module, BaseTunerLayer)]
        self.switch(settings.scope == "all")
        self._hooks = []
        if settings.scope == "question":
            self._hooks.append(backbone.model.register_forward_pre_hook(lambda *_: self.switch(True)))
            self._hooks.append(backbone.model.register_forward_hook(lambda *_: self.switch(False)))

    def switch(self, on: bool) -> None:
        """Apply the adapter, or not; `enable_adapters` would drop the gradients as well."""
        for layer in self._layers:
            layer._disable_adapters = not on

    def take_out(self) -> None:
        """Leave the backbone as it was."""
        for hook in self._hooks:
            hook.remove()
        self.switch(False)

    @property
    def numbers(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    def loss(self, examples: Sequence[Example]) -> Tensor:
        """The mean over the samples of the cross-entropy of their answers' ids."""
        model, extra = self.backbone.model, dict[str, Any]()
        shared = self.settings.scope == "question"
        heads = [() if shared else example.before for example in examples]
        rows = [[*head, *e.targets[0].question, *e.targets[0].answer] for head, e in zip(heads, examples, strict=True)]
        ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)  # on the right, where none looks
        mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
        if shared:
            cache, before = PrefixStates(self.backbone).read([example.before for example in examples])
            mask = torch.cat([before, mask], dim=1)
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, before.shape[1] :]
            extra = {self.backbone.cache_keyword: cache, "position_ids": positions.to(model.device)}
        hidden = self._hidden(ids.to(model.device), mask.to(model.device), extra)
        found = []
        for row, example, states in zip(rows, examples, hidden, strict=True):
            answer = torch.tensor(example.targets[0].answer, device=model.device)
            end = len(row) - 1
            logits = model.get_output_embeddings()(states[end - len(answer) : end]).float()
            found.append(functional.cross_entropy(logits, answer))
        return torch.stack(found).mean()

    def _hidden(self, ids: Tensor, mask: Tensor, extra: dict[str, Any]) -> Tensor:
        """The last hidden states (rows, length, hidden); logits of all places would take gigabytes."""
        self.switch(True)
        output = self.backbone.model.base_model(input_ids=ids, attention_mask=mask, **extra)
        self.switch(self.settings.scope == "all")
        states: Tensor = output.last_hidden_state
        return states


class Run:
    """The folder of a run: what it is, and its newest checkpoint."""

    def __init__(self, folder: Path, adapter: Adapter, examples: Examples) -> None:
        self.folder, self.adapter, self.examples = folder, adapter, examples
        self.step = 0
        self.optimizer = torch.optim.AdamW(adapter.parameters.values(), lr=0.0, weight_decay=0.0)
        self._rates = TrainingSettings(learning_rate=adapter.settings.learning_rate)
        self._checkpoint = folder / "checkpoint.pt"
        folder.mkdir(parents=True, exist_ok=True)
        self._claim()

    def _claim(self) -> None:
        """Go on with the folder's checkpoint, if it is of the same run."""
        backbone = self.adapter.backbone
        run = {"backbone": backbone.name, "precision": backbone.precision, "data": self.examples.fingerprint}
        run |= asdict(self.adapter.settings) | asdict(self.examples.settings)
        description, file = json.dumps(run, indent=1), self.folder / "run.json"
        if self._checkpoint.is_file():
            if not file.is_file() or file.read_text() != description:
                raise PromptError(f"{self.folder} holds a run with other data or settings: choose another --output.")
            saved = torch.load(self._checkpoint, weights_only=True, map_location=backbone.model.device)
            self.step = saved["step"]
            self.optimizer.load_state_dict(saved["optimizer"])
            for name, parameter in self.adapter.parameters.items():
                parameter.data.copy_(saved["adapter"][name])
        file.write_text(description)

    def save(self) -> None:
        """Replace the checkpoint by one of now."""
        new = self._checkpoint.with_suffix(".new")
        weights = {name: parameter.detach().cpu() for name, parameter in self.adapter.parameters.items()}
        torch.save({"step": self.step, "optimizer": self.optimizer.state_dict(), "adapter": weights}, new)
        new.replace(self._checkpoint)

    def learn(self, steps: int) -> Iterator[tuple[float, float]]:
        """Take at most so many steps more, each of which yields its loss and its seconds."""
        settings = self.adapter.settings
        for step in range(self.step, min(self.step + steps, settings.steps)):
            started, total = time.perf_counter(), 0.0
            numbers = range(step * settings.batch, (step + 1) * settings.batch)
            batch = sorted((self.examples[number] for number in numbers), key=lambda example: len(example.before))
            for start in range(0, len(batch), settings.micro_batch):
                part = batch[start : start + settings.micro_batch]
                loss = self.adapter.loss(part) * len(part) / len(batch)
                loss.backward()
                total += loss.item()
            for group in self.optimizer.param_groups:
                group["lr"] = self._rates.rate(step, settings.steps)
            torch.nn.utils.clip_grad_norm_(self.adapter.parameters.values(), self._rates.clip)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.step = step + 1
            yield total, time.perf_counter() - started


def own_weights(backbone: Backbone) -> str:
    """A SHA-256 of all weights of the backbone but the adapter's."""
    digest = hashlib.sha256()
    for name, weights in backbone.model.named_parameters():
        if "lora_" not in name:
            digest.update(name.replace(".base_layer", "").encode())
            digest.update(weights.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def scores(engine: LocalEngine, questions: Sequence[Question], retriever: Retriever | None, k: int) -> Summary:
    """The scores of one answer to each question."""
    settings = ComparisonSettings(virtual_tokens=(k,), passages=DEV_PASSAGES)
    rows = [row for done in evaluate(engine, questions, retriever, settings) for row in done.rows]
    return summarize(rows)[0]


def measure(
    backbone: Backbone, adapter: Adapter, questions: Sequence[Question], retriever: Retriever | None
) -> dict[str, Any]:
    """The adapter without tokens, and the tokens without the adapter, on the same questions."""
    tokens = find_tokens(None, backbone.name, lambda line: None) or backbone.initial_virtual_tokens()
    learned = scores(LocalEngine(backbone, tokens), questions, retriever, 0)
    adapter.take_out()
    other = scores(LocalEngine(backbone, tokens), questions, retriever, len(tokens))
    named = zip(("adapter", f"{len(tokens)} tokens"), rows_as_json([learned, other]), strict=True)
    return {"tokens": tokens.embeddings.numel(), "rows": dict(named)}


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("questions", type=Path)
    add("--corpus", nargs="+", type=Path)
    add("--dev", type=Path, help="scored at the end, with the adapter and with the shipped tokens")
    add("--dev-limit", type=int)
    add("--output", type=Path, required=True, metavar="FOLDER")
    add("--passages", type=int, nargs=2, default=(2, 4), metavar="M", help="drawn between these (default 2 4)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--backbone", default=DEFAULT_BACKBONE)
    add("--precision", default="bf16")
    add("--steps-now", type=int, default=10**9, metavar="N", help="end after N steps more; default: all")
    add("--save-every", type=int, default=5)
    add("--json", action="store_true")
    for name, value in asdict(LoraSettings()).items():
        add(f"--{name.replace('_', '-')}", type=type(value), default=value, choices=SCOPES if name == "scope" else None)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn, score and print."""
    options = options_of(arguments)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here: leave --device out.")
    from spring.cli.opening import open_corpus

    retriever, collection = open_corpus(options.corpus) if options.corpus else (None, None)
    backbone = load_backbone(options.backbone, training_precision(options.precision), learning=True)
    before = own_weights(backbone)
    sampling = SampleSettings(1, tuple(options.passages), fixed_k=True, seed=options.seed)
    questions = read_questions(options.questions).questions
    examples = Examples(backbone, questions, retriever, gold_passages(collection) if collection else None, sampling)
    adapter = Adapter(backbone, LoraSettings(**{name: getattr(options, name) for name in asdict(LoraSettings())}))
    run = Run(options.output, adapter, examples)
    seconds: list[float] = []
    for loss, took in run.learn(options.steps_now):
        seconds.append(took)
        print(f"step {run.step}: loss {loss:.3f}, {took:.1f} s", file=sys.stderr, flush=True)
        if run.step % options.save_every == 0 or run.step == options.steps:
            run.save()
    if seconds:
        run.save()
    figures: dict[str, Any] = {
        "steps": run.step,
        "of": options.steps,
        "seconds_per_step": round(sum(seconds) / len(seconds), 2) if seconds else None,
        "device": backbone.model.device.type,
        "numbers": {"adapter": adapter.numbers},
    }
    if options.dev:
        dev = read_questions(options.dev).questions[: options.dev_limit]
        measured = measure(backbone, adapter, dev, retriever)
        figures["numbers"]["tokens"] = measured.pop("tokens")
        figures |= measured
    figures["backbone_unchanged"] = own_weights(backbone) == before
    print(json.dumps(figures) if options.json else "\n".join(f"{key}: {value}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
