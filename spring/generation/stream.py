"""Stream the answers for several k at once: one batch over one shared passage cache (see `rows`)."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spring.errors import PromptError
from spring.generation.answer_writer import AnswerWriter
from spring.generation.host import ModelHost
from spring.generation.kv_cache import Prefix, new_cache
from spring.generation.rows import RowInput, Rows
from spring.generation.sampling import Sampler
from spring.generation.shared_rows import SharedRows, can_share
from spring.generation.stacked_rows import StackedRows
from spring.generation.types import DecodingOptions, GenerationRequest, Progress, check_ks
from spring.models.backbone import Backbone

# Passages are read in pieces of at most so many tokens, so that Stop need not wait for all of them.
PREFILL_CHUNK = defaultdict(lambda: 4096, cpu=384)


def piece_length(backbone: Backbone) -> int:
    """The most tokens of a piece: on a CPU twice as many in bf16, which reads them at least twice as fast."""
    device = backbone.model.device.type
    return PREFILL_CHUNK[device] * (2 if device == "cpu" and backbone.model.dtype == torch.bfloat16 else 1)


class Stream:
    """The state of one call of `LocalEngine.stream`.

    Args:
        host: the loaded model.
        requests: prompts and their k.
        options: length of the answers, sampling.

    Raises:
        PromptError: a k out of range, or a prompt longer than the context.

    """

    def __init__(self, host: ModelHost, requests: Sequence[GenerationRequest], options: DecodingOptions) -> None:
        self.virtual = [request.virtual_tokens for request in requests]
        check_ks(self.virtual, len(host.tokens))
        self.started = time.perf_counter()
        self.host, self.backbone, self.options = host, host.backbone, options
        encoded = [self.backbone.tokenization.encode(request.prompt, request.chat) for request in requests]
        self.before = [tuple(before) for before, _ in encoded]
        self.after = [after for _, after in encoded]
        # Where the tokens stand at the front, at least one is read: an empty cache has no shape. k = 0 masks it.
        self.most_virtual = max(*self.virtual, 0 if all(self.before) else 1)
        for k, before, after in zip(self.virtual, self.before, self.after, strict=True):
            longest = self.backbone.context_length
            if (needed := len(before) + k + len(after) + options.max_new_tokens) > longest:
                raise PromptError(
                    f"Passages, question and answer need {needed} tokens, but {self.backbone.name} takes {longest}: "
                    "use fewer passages, a shorter question or a shorter answer."
                )
        self.writers = [
            AnswerWriter(request, options, self.backbone.tokenization, self.backbone.eos_ids) for request in requests
        ]
        self.rows = list(range(len(requests)))  # which answer each row of the batch is
        self.progress = Progress(
            tuple(writer.answer for writer in self.writers), prefix_tokens=sum(map(len, set(self.before)))
        )

    def run(self) -> Iterator[Progress]:
        """Generate; yields a snapshot after every piece of the passages and every token."""
        prefixes: dict[tuple[int, ...], Prefix] = {}
        for ids in dict.fromkeys(self.before):
            for prefix in self._read_prefix(ids):
                prefixes[ids] = prefix
                yield self.progress
        inputs = [
            RowInput(prefixes[before], k, after)
            for before, k, after in zip(self.before, self.virtual, self.after, strict=True)
        ]
        prefixes.clear()  # the rows hold what they need; the budget decides what else is kept
        next_ids = self.host.on_worker(self._read_questions, inputs)
        del inputs
        while True:
            self._append(next_ids)
            yield self.progress
            if self.progress.done:
                return
            going_on = [place for place, row in enumerate(self.rows) if not self.progress.answers[row].ended]
            if self.options.drop_ended and len(going_on) < len(self.rows):
                next_ids = self.host.on_worker(self._drop, going_on, next_ids)
            next_ids = self.host.on_worker(self._decode, next_ids)

    def _read_prefix(self, ids: tuple[int, ...]) -> Iterator[Prefix]:
        """Take a prefix from the cache, or read it piece by piece; yields it after every piece."""
        worker, before = self.host.on_worker, self.progress.prefix_read
        prefix = worker(self.host.prefixes.get, ids)
        if prefix is None:
            prefix = Prefix(ids, new_cache(self.backbone.layers, len(ids) + len(self.host.tokens)))
        else:
            self.progress = replace(self.progress, prefix_hits=self.progress.prefix_hits + 1)
        while worker(read_piece, self.host, prefix, self.most_virtual):
            self._count_read(before, prefix)
            yield prefix
        worker(self.host.prefixes.put, prefix)
        self._count_read(before, prefix)
        yield prefix

    def _count_read(self, before: int, prefix: Prefix) -> None:
        """Note how much of the passages is read; `before` counts the tokens of the earlier prefixes."""
        read = before + min(prefix.cache.get_seq_length(), len(prefix.ids))
        seconds = time.perf_counter() - self.started
        self.progress = replace(self.progress, prefix_read=read, prefill_seconds=seconds)

    def _read_questions(self, inputs: list[RowInput]) -> Tensor:
        """Make the batch's rows, and choose their first ids (rows,)."""
        self.sampler = Sampler(self.options, self.backbone.model.device)
        kind = SharedRows if can_share(self.backbone, inputs) else StackedRows
        self.batch: Rows = kind(self.backbone, inputs, self.options.max_new_tokens)
        return self.sampler.choose(self.batch.read_questions())

    def _decode(self, ids: Tensor) -> Tensor:
        return self.sampler.choose(self.batch.decode(ids))

    def _drop(self, keep: list[int], ids: Tensor) -> Tensor:
        """Continue with some rows of the batch only; returns their ids in their new order."""
        order = self.batch.keep_rows(keep)
        self.rows = [self.rows[place] for place in order]
        return ids[order]

    def _append(self, next_ids: Tensor) -> None:
        """Add one token to every answer that goes on.

        The row of one that has ended stays as a dummy: a batch of the same shape has the same rounding.
        """
        seconds = time.perf_counter() - self.started
        for row, id in zip(self.rows, next_ids.tolist(), strict=True):
            self.writers[row].add(id, seconds)
        self.progress = replace(
            self.progress,
            answers=tuple(writer.answer for writer in self.writers),
            ids=tuple(tuple(writer.ids) for writer in self.writers),
        )


def read_piece(host: ModelHost, prefix: Prefix, virtual_tokens: int) -> bool:
    """Read the next piece of what a prefix lacks, passages then virtual tokens; False if it lacks nothing.

    What it lacks is determined anew each time: another stream may have added virtual tokens meanwhile. Runs on the
    worker.

    Args:
        host: the loaded model.
        prefix: is extended in place.
        virtual_tokens: how many it should have in the end.

    """
    backbone = host.backbone
    passages = backbone.embed(torch.tensor([prefix.ids[prefix.read :]], dtype=torch.long))
    virtual = host.tokens.embeddings[None, prefix.virtual_tokens : virtual_tokens]
    embeddings = torch.cat([passages, virtual.to(passages)], dim=1)
    if not embeddings.shape[1]:
        return False
    pieces = -(-embeddings.shape[1] // piece_length(backbone))  # of about equal length
    # The inner model: logits of the passages are not needed.
    backbone.model.base_model(
        inputs_embeds=embeddings.chunk(pieces, dim=1)[0], **{backbone.cache_keyword: prefix.cache}
    )
    return True
