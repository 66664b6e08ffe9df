"""Stream the answers for several k at once: one batch over one shared passage cache (see `rows`)."""

import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from functools import cache

import torch

from spring.errors import PromptError
from spring.generation.answer_writer import AnswerWriter
from spring.generation.arriving_ids import ArrivingIds
from spring.generation.forward import read
from spring.generation.host import ModelHost
from spring.generation.kv_cache import Prefix, new_cache
from spring.generation.rows import RowInput, Rows
from spring.generation.shared_rows import SharedRows, can_share
from spring.generation.stacked_rows import StackedRows
from spring.generation.static_rows import StaticRows, shape_of
from spring.generation.step_pool import ReadyStep
from spring.generation.types import DecodingOptions, GenerationRequest, Progress, check_ks
from spring.models.backbone import Backbone
from spring.models.size import BESIDE

# Passages are read in pieces of at most so many tokens, so that Stop need not wait for all of them.
PREFILL_CHUNK = defaultdict(lambda: 4096, cpu=384)


def piece_length(backbone: Backbone) -> int:
    """The most tokens of a piece: on a CPU twice as many in bf16 or 8 bits, which are chosen if read twice as fast."""
    device = backbone.model.device.type
    fast = backbone.model.dtype == torch.bfloat16 or BESIDE.get(backbone.precision) == "int8"
    return PREFILL_CHUNK[device] * (2 if device == "cpu" and fast else 1)


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
        encode = cache(self.backbone.tokenization.encode)  # most requests have the same prompt
        encoded = [encode(request.prompt, request.chat) for request in requests]
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
        ready = yield from self._take_step(inputs)
        try:
            yield from self._write(inputs, ready)
        finally:
            if ready is not None and self.host.steps is not None:
                self.host.steps.give_back(ready)

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

    def _take_step(self, inputs: list[RowInput]) -> Generator[Progress, None, ReadyStep | None]:
        """Take a static step for these rows, if there can be one; a snapshot before it is to be recorded."""
        steps, worker = self.host.steps, self.host.on_worker
        if steps is None or self.options.max_new_tokens == 1:  # the only one is chosen behind the question
            return None
        shape = shape_of(inputs, self.options)
        if worker(steps.must_record, shape):
            self.progress = replace(self.progress, preparing=True)
            yield self.progress
            self.progress = replace(self.progress, preparing=False)
        return worker(steps.take, shape)

    def _write(self, inputs: list[RowInput], ready: ReadyStep | None) -> Iterator[Progress]:
        """Make the batch's rows, and write their answers."""
        arriving = self.host.on_worker(self._begin, inputs, ready)
        for left in reversed(range(self.options.max_new_tokens)):
            # Rows that do not need the host go on while the ids travel; with the last of them nothing follows.
            ahead = None if self.batch.needs_host or not left else self.host.on_worker(self.batch.advance)
            self._append(arriving.read())
            yield self.progress
            if self.progress.done:
                return
            arriving = ahead or self.host.on_worker(self._advance)

    def _begin(self, inputs: list[RowInput], ready: ReadyStep | None) -> ArrivingIds:
        self.batch: Rows
        if ready is not None:
            self.batch = StaticRows(self.backbone, inputs, self.options, ready)
        else:
            kind = SharedRows if can_share(self.backbone, inputs) else StackedRows
            self.batch = kind(self.backbone, inputs, self.options)
        return self.batch.begin()

    def _advance(self) -> ArrivingIds:
        """Add a token to the rows; to those that go on, if ended ones are dropped."""
        going_on = [place for place, row in enumerate(self.rows) if not self.progress.answers[row].ended]
        if self.options.drop_ended and len(going_on) < len(self.rows):
            order = self.batch.keep_rows(going_on)
            self.rows = [self.rows[place] for place in order]
        return self.batch.advance()

    def _append(self, ids: Sequence[int]) -> None:
        """Add one token to every answer that goes on.

        The row of one that has ended stays as a dummy: a batch of the same shape has the same rounding.
        """
        seconds = time.perf_counter() - self.started
        for row, id in zip(self.rows, ids, strict=True):
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
    read(backbone, embeddings.chunk(pieces, dim=1)[0], prefix.cache)
    return True
