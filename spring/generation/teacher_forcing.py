"""Score answers by teacher forcing: their ids are fed, and each token's log-probability is read off.

Questions and answers that share a prefix are fed as one packed sequence. In the attention mask a question sees the
passages and its first k virtual tokens, and an answer sees those and its question:

    | passages | t1 ... tK | question A | answer | answer | question B | answer | ...
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spring.generation.attention import scores_of
from spring.generation.forward import logits_of
from spring.generation.host import ModelHost
from spring.generation.kv_cache import Prefix, copy_prefix
from spring.models.backbone import Backbone

Ids = tuple[int, ...]


@dataclass(slots=True)
class Branch:
    """A question after a prefix, and the answers to score after it."""

    virtual_tokens: int
    question: Ids
    answers: dict[Ids, list[float]] = field(default_factory=dict)  # log-probabilities of each token, when scored

    @property
    def length(self) -> int:
        """Tokens to feed: the last one of an answer predicts nothing that is needed."""
        return len(self.question) + sum(len(answer) - 1 for answer in self.answers)


def parts_of(branches: Sequence[Branch], limit: int) -> Iterator[list[Branch]]:
    """Groups of branches with at most so many tokens, so that Stop need not wait for all of them."""
    part: list[Branch] = []
    for branch in branches:
        if part and sum(other.length for other in part) + branch.length > limit:
            yield part
            part = []
        part.append(branch)
    if part:
        yield part


def score_branches(host: ModelHost, prefix: Prefix, virtual_tokens: int, branches: Sequence[Branch]) -> None:
    """Feed questions and answers after a prefix, and fill in the log-probabilities. Runs on the worker.

    Args:
        host: the loaded model.
        prefix: is left as it is; what it lacks is fed in the same pass.
        virtual_tokens: at least as many as a branch has.
        branches: the same question may come with several k.

    """
    backbone, passages = host.backbone, len(prefix.ids)
    read, virtual_tokens = prefix.read, max(virtual_tokens, prefix.virtual_tokens)
    start = passages + virtual_tokens
    lacking = start - read
    length = sum(branch.length for branch in branches)
    # visible (tokens fed, slots): which slots of the cache a token sees; positions (slots,): of the slots' tokens
    visible = torch.zeros((lacking + length, start + length), dtype=torch.bool)
    visible[:lacking, :start] = torch.ones((lacking, start), dtype=torch.bool).tril(read)
    positions = torch.arange(start + length)
    ids: list[int] = []
    needed: list[int] = []  # tokens whose logits predict a token of an answer
    targets: list[int] = []
    causal = torch.ones((length, length), dtype=torch.bool).tril()
    for branch in branches:
        question, k = len(ids), branch.virtual_tokens
        ids += branch.question
        last = len(ids) - 1
        of_branch = visible[lacking + question :]
        of_branch[: last + 1 - question, start + question : start + last + 1] = causal[
            : last + 1 - question, : last + 1 - question
        ]
        positions[start + question : start + last + 1] = torch.arange(last + 1 - question) + passages + k
        for answer in branch.answers:
            begin = len(ids)
            ids += answer[:-1]
            size = len(ids) - begin
            needed += [lacking + place for place in (last, *range(begin, len(ids)))]
            targets += answer
            of_answer = visible[lacking + begin : lacking + len(ids)]
            of_answer[:, start + question : start + last + 1] = True
            of_answer[:, start + begin : start + len(ids)] = causal[:size, :size]
            positions[start + begin : start + len(ids)] = torch.arange(size) + passages + k + last + 1 - question
        of_branch[: len(ids) - question, : passages + k] = True
    device = backbone.model.device
    fed = backbone.embed(torch.tensor([[*prefix.ids[read:], *ids]]))
    virtual = host.tokens.embeddings[None, prefix.virtual_tokens : virtual_tokens].to(fed)
    seam = fed.shape[1] - length
    logits = logits_of(
        backbone,
        torch.cat([fed[:, :seam], virtual, fed[:, seam:]], dim=1),
        positions[None, read:].to(device),
        _attention(backbone, visible, positions),
        copy_prefix(prefix, prefix.ids, read, start + length).cache,
        torch.tensor(needed, device=device),
    )
    scores = torch.log_softmax(logits[0].float(), -1)
    found = scores.gather(1, torch.tensor(targets, device=device)[:, None])[:, 0].tolist()
    for branch in branches:
        for answer in branch.answers:
            branch.answers[answer], found = found[: len(answer)], found[len(answer) :]


def _attention(backbone: Backbone, visible: Tensor, positions: Tensor) -> Tensor | dict[str, Tensor]:
    """The mask (1, 1, tokens, slots), or one for each kind of layer; a window is counted in positions."""
    device = backbone.model.device
    full = scores_of(backbone, visible)[None, None].to(device)  # once, and not in each layer
    if backbone.window is None:
        return full
    asked = positions[-visible.shape[0] :]
    inside = asked[:, None] - positions < backbone.window
    sliding = scores_of(backbone, visible & inside)[None, None].to(device)
    return {"full_attention": full, "sliding_attention": sliding} if backbone.mixed else sliding
