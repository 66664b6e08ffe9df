"""The loss of virtual tokens, and its gradient at the price of what depends on them.

The model reads  [passages | t1 .. tk | question | answer]. The passages stand left of the tokens, so nothing in
their keys and values depends on the tokens: they are read without gradient into a cache. Several k, or questions,
of the same passages share that cache, and t1..tK as well; they are packed into one row,

    cache: | padding | passages |   input: | t1 ........ tK | question, answer | question, answer | ... | padding |

and each question sees the passages, the first k tokens and itself, at the positions of a prompt of its own.
Logits are computed where an answer is predicted alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from spring.models.backbone import Backbone
from spring.training.prefix_states import PrefixStates


@dataclass(frozen=True, slots=True)
class Target:
    """What the model should say after a question when k virtual tokens precede it."""

    virtual_tokens: int  # k, from 0
    question: tuple[int, ...]  # ids right of the seam, up to the answer
    answer: tuple[int, ...]  # ids of the answer and the end-of-sequence token


@dataclass(frozen=True, slots=True)
class Example:
    """Passages and what is learned from them."""

    before: tuple[int, ...]  # ids left of the seam
    targets: tuple[Target, ...]
    turn: int = 0  # of several backbones, this one, counted round and round, learns from it


def losses(reader: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> Tensor:
    """Next-token cross-entropy of each target, the mean over its answer's ids: (number of targets,) float32.

    Args:
        reader: of the backbone, which is frozen: the gradient flows through it, not into it.
        tokens: (n, hidden), with or without gradient.
        examples: their targets are numbered one example after the other.

    """
    logits, labels, targets = _predict(reader, tokens, examples)
    return _mean(functional.cross_entropy(logits, labels, reduction="none"), targets)


@torch.no_grad()
def greedy_matches(reader: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Loss of each target, and whether greedy decoding would write exactly its answer: two (targets,) tensors.

    It would if every id of the answer, the end included, is the likeliest one after those before it.
    """
    logits, labels, targets = _predict(reader, tokens, examples)
    matched = _mean((logits.argmax(-1) == labels).float(), targets) == 1
    return _mean(functional.cross_entropy(logits, labels, reduction="none"), targets), matched


def dev_scores(
    reader: PrefixStates, tokens: Tensor, dev: Sequence[Example], batch_size: int = 2
) -> tuple[float, float]:
    """Mean loss, and share of (question, k) whose greedy answer is exactly one of the golden ones.

    An example holds golden answers of a question for each k; the one with the least loss counts.
    """
    losses_, matches = [], []
    for start in range(0, len(dev), batch_size):
        batch = dev[start : start + batch_size]
        loss, matched = greedy_matches(reader, tokens, batch)
        targets = [(place, target.virtual_tokens) for place, example in enumerate(batch) for target in example.targets]
        for group in dict.fromkeys(targets):
            mine = [i for i, target in enumerate(targets) if target == group]
            losses_.append(min(float(loss[i]) for i in mine))
            matches.append(float(any(bool(matched[i]) for i in mine)))
    return sum(losses_) / len(losses_), sum(matches) / len(matches)


def _predict(reader: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (answer ids, vocabulary), the ids that should come, and the number of the target of each."""
    backbone, device = reader.backbone, reader.backbone.model.device
    cache, prefix_mask = reader.read([example.before for example in examples])
    pack = _Pack(examples, prefix_mask)
    ids = backbone.embed(pack.ids)
    virtual = tokens[None, : pack.most_virtual].to(ids).expand(len(examples), -1, -1)
    hidden = backbone.model.base_model(
        inputs_embeds=torch.cat([virtual, ids[:, pack.most_virtual :]], dim=1),
        attention_mask=_attention(backbone, pack),
        position_ids=pack.positions[:, prefix_mask.shape[1] :].to(device),
        **{backbone.cache_keyword: cache},
    ).last_hidden_state
    rows, places, labels, targets = (torch.tensor(column) for column in zip(*pack.labels, strict=True))
    logits = backbone.model.get_output_embeddings()(hidden[rows, places]).float()
    # Of a model that is spread over several GPUs they are on the last one.
    return logits, labels.to(logits.device), targets.to(logits.device)


def _mean(values: Tensor, targets: Tensor) -> Tensor:
    """The mean of the values of each target."""
    sums = values.new_zeros(int(targets[-1]) + 1).index_add(0, targets, values)
    return sums / torch.bincount(targets)


class _Pack:
    """Ids, positions, visibility and labels of a batch of packed rows."""

    def __init__(self, examples: Sequence[Example], prefix_mask: Tensor) -> None:
        prefix = prefix_mask.shape[1]
        self.most_virtual = max(target.virtual_tokens for example in examples for target in example.targets)
        lengths = [sum(len(t.question) + len(t.answer) - 1 for t in example.targets) for example in examples]
        length = self.most_virtual + max(lengths)
        self.ids = torch.zeros((len(examples), length), dtype=torch.long)
        self.positions = torch.zeros((len(examples), prefix + length), dtype=torch.long)
        self.positions[:, :prefix] = (prefix_mask.cumsum(1) - 1).clamp(min=0)
        # visible (rows, length, prefix + length): which slots each input slot sees; padding sees the passages, as
        # a slot that sees nothing would give NaN
        self.visible = torch.zeros((len(examples), length, prefix + length), dtype=torch.bool)
        self.visible[:, :, :prefix] = prefix_mask[:, None].bool()
        self.labels: list[tuple[int, int, int, int]] = []  # row, place, id to predict, number of the target
        targets = 0
        virtual = torch.arange(self.most_virtual)
        for row, example in enumerate(examples):
            read = len(example.before)
            self.positions[row, prefix : prefix + self.most_virtual] = read + virtual
            self.visible[row, : self.most_virtual, prefix : prefix + self.most_virtual] = virtual[:, None] >= virtual
            start = self.most_virtual
            for target in example.targets:
                ids = target.question + target.answer[:-1]
                end = start + len(ids)
                own = torch.arange(len(ids))
                self.ids[row, start:end] = torch.tensor(ids)
                self.positions[row, prefix + start : prefix + end] = read + target.virtual_tokens + own
                self.visible[row, start:end, prefix : prefix + target.virtual_tokens] = True
                self.visible[row, start:end, prefix + start : prefix + end] = own[:, None] >= own
                first = end - len(target.answer)
                self.labels += [(row, first + i, label, targets) for i, label in enumerate(target.answer)]
                start = end
                targets += 1


def _attention(backbone: Backbone, pack: _Pack) -> Tensor | dict[str, Tensor]:
    """The attention mask (rows, 1, input slots, all slots); a sliding window counts positions, not slots."""
    full = _additive(pack.visible, backbone)
    if backbone.window is None:
        return full
    near = pack.positions[:, -pack.visible.shape[1] :, None] - pack.positions[:, None] < backbone.window
    sliding = _additive(pack.visible & near, backbone)
    return {"full_attention": full, "sliding_attention": sliding} if backbone.mixed else sliding


def _additive(visible: Tensor, backbone: Backbone) -> Tensor:
    """0 where a slot is seen and the lowest number elsewhere: the form that every kind of attention takes."""
    dtype = backbone.embed(torch.zeros(1, dtype=torch.long)).dtype
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)
    return mask[:, None].to(backbone.model.device)
