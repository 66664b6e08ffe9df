"""The loss of virtual tokens, computed and differentiated only where it depends on them.

The model reads  [passages | t1 .. tk | question | answer]. The passages stand left of the tokens, so their keys and
values do not depend on the tokens: they are computed without gradient (`spring.training.prefix_states`). All targets
with the same passages share these, and t1 .. tk as well; they are packed into one row,

    cache: | padding | passages |   input: | t1 ........ tK | question, answer | question, answer | ... | padding |

in which each question attends to the passages, the first k tokens and itself, at the positions that it would have in
a prompt of its own. Logits are computed at the answers only.
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
    """The answer that the model should give to a question when k virtual tokens precede it."""

    virtual_tokens: int  # k, from 0
    question: tuple[int, ...]  # ids right of the seam, up to the answer
    answer: tuple[int, ...]  # ids of the answer and the end-of-sequence token


@dataclass(frozen=True, slots=True)
class Example:
    """Passages, and the targets that share them."""

    before: tuple[int, ...]  # ids left of the seam
    targets: tuple[Target, ...]
    rotation: int = 0  # of several backbones, number `rotation % len(backbones)` is used for this example


def losses(states: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> Tensor:
    """Return the next-token cross-entropy of each target, averaged over its answer's ids.

    Args:
        states: of the backbone, which is frozen.
        tokens: (n, hidden), with or without gradient.
        examples: their targets are numbered consecutively.

    Returns:
        (targets,) float32.

    """
    logits, labels, targets = _predict(states, tokens, examples)
    return _mean(functional.cross_entropy(logits, labels, reduction="none"), targets)


@torch.no_grad()
def greedy_matches(states: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Return the loss of each target, and whether greedy decoding would give exactly its answer.

    It would if every id of the answer, the end of sequence included, has the highest logit after those before it.

    Returns:
        (targets,) float32 and (targets,) bool.

    """
    logits, labels, targets = _predict(states, tokens, examples)
    matched = _mean((logits.argmax(-1) == labels).float(), targets) == 1
    return _mean(functional.cross_entropy(logits, labels, reduction="none"), targets), matched


def dev_scores(
    states: PrefixStates, tokens: Tensor, dev: Sequence[Example], batch_size: int = 2
) -> tuple[float, float]:
    """Return the mean loss, and the share of (question, k) whose greedy answer equals a golden one.

    The targets of an example are golden answers of one question for each k; of those, the lowest loss counts.
    """
    losses_, matches = [], []
    for start in range(0, len(dev), batch_size):
        batch = dev[start : start + batch_size]
        loss, matched = greedy_matches(states, tokens, batch)
        targets = [(place, target.virtual_tokens) for place, example in enumerate(batch) for target in example.targets]
        for group in dict.fromkeys(targets):
            members = [i for i, target in enumerate(targets) if target == group]
            losses_.append(min(float(loss[i]) for i in members))
            matches.append(float(any(bool(matched[i]) for i in members)))
    return sum(losses_) / len(losses_), sum(matches) / len(matches)


def _predict(states: PrefixStates, tokens: Tensor, examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (answer ids, vocabulary), the ids to predict (answer ids,), and the target that each belongs to."""
    backbone, device = states.backbone, states.backbone.model.device
    cache, prefix_mask = states.read([example.before for example in examples])
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
    # The logits of a model that is spread over several GPUs are on the last one.
    return logits, labels.to(logits.device), targets.to(logits.device)


def _mean(values: Tensor, targets: Tensor) -> Tensor:
    """The mean of the values of each target, (targets,)."""
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
        # visible (rows, length, prefix + length): the slots that each input slot attends to. Padding attends to the
        # passages, as attention to nothing would give NaN.
        self.visible = torch.zeros((len(examples), length, prefix + length), dtype=torch.bool)
        self.visible[:, :, :prefix] = prefix_mask[:, None].bool()
        self.labels: list[tuple[int, int, int, int]] = []  # row, input slot, id to predict, number of the target
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
    """0 where a slot is visible and the lowest number elsewhere: the form that every attention function takes."""
    dtype = backbone.embed(torch.zeros(1, dtype=torch.long)).dtype
    mask = torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)
    return mask[:, None].to(backbone.model.device)
