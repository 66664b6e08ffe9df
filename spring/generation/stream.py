"""Stream the answers for several k at once: one batch over one shared passage cache.

A row of the batch sees  [passages | t1 .. tk | question]. In the key/value cache every row has the same slots,

    | padding | passages | t1 ......... tK | padding | question | answer ...

with K the largest k asked for. The virtual tokens stand after the passages and before the question, so neither
depends on k: passages and t1..tK are computed once and copied into every row, and row k masks the tokens beyond its k
(k = 0 masks all of them: the plain prompt). Positions count the visible slots only, as in a prompt of its own.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from transformers import Cache

from spring.errors import PromptError
from spring.generation.answer_writer import AnswerWriter
from spring.generation.attention import attention_of, positions_of
from spring.generation.host import ModelHost
from spring.generation.kv_cache import Prefix, keep_rows, new_cache, stack_prefixes
from spring.generation.sampling import Sampler
from spring.generation.types import DecodingOptions, GenerationRequest, Progress, check_ks

# Passages are read in pieces of at most so many tokens, so that Stop need not wait for all of them.
PREFILL_CHUNK = defaultdict(lambda: 4096, cpu=384)


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
        step = self.host.on_worker(self._read_questions, [prefixes[ids] for ids in self.before])
        prefixes.clear()  # the rows have copies of their own; the budget decides what else is kept
        while True:
            next_ids, cache, mask = step
            self._append(next_ids)
            yield self.progress
            if self.progress.done:
                return
            going_on = [place for place, row in enumerate(self.rows) if not self.progress.answers[row].ended]
            if self.options.drop_ended and len(going_on) < len(self.rows):
                next_ids, cache, mask = self.host.on_worker(self._drop, going_on, next_ids, cache, mask)
            step = self.host.on_worker(self._decode, next_ids, cache, mask)

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

    def _read_questions(self, prefixes: list[Prefix]) -> tuple[Tensor, Cache, Tensor]:
        """Copy the prefixes into the rows' cache and feed the questions."""
        device = self.backbone.model.device
        self.sampler = Sampler(self.options, device)
        rows, passages, questions = len(self.after), max(map(len, self.before)), max(map(len, self.after))
        question_start = passages + self.most_virtual
        length = question_start + questions
        # mask (rows, slots): which slots of the cache a row sees
        mask = torch.ones((rows, length + self.options.max_new_tokens), dtype=torch.long, device=device)
        input_ids = torch.zeros((rows, questions), dtype=torch.long)
        for row, (k, before, after) in enumerate(zip(self.virtual, self.before, self.after, strict=True)):
            mask[row, : passages - len(before)] = 0
            mask[row, passages + k : question_start] = 0
            mask[row, question_start : length - len(after)] = 0
            input_ids[row, questions - len(after) :] = torch.tensor(after)
        cache = stack_prefixes(prefixes, self.most_virtual, length + self.options.max_new_tokens)
        return self._step(self.backbone.embed(input_ids), cache, mask)

    def _decode(self, ids: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        return self._step(self.backbone.embed(ids[:, None]), cache, mask)

    def _drop(self, keep: list[int], ids: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        """Continue with some rows of the batch only."""
        order = keep_rows(cache, keep)
        self.rows = [self.rows[place] for place in order]
        return ids[order], cache, mask[order]

    def _step(self, embeddings: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        """Feed embeddings (rows, length, hidden) and choose the next ids (rows,)."""
        start = cache.get_seq_length()
        end = start + embeddings.shape[1]
        output = self.backbone.model(
            inputs_embeds=embeddings,
            attention_mask=attention_of(self.backbone, mask, start, end),
            position_ids=positions_of(mask, start, end),
            **{self.backbone.cache_keyword: cache},
            logits_to_keep=1,
        )
        return self.sampler.choose(output.logits[:, -1].float()), cache, mask

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
    pieces = -(-embeddings.shape[1] // PREFILL_CHUNK[backbone.model.device.type])  # of about equal length
    # The inner model: logits of the passages are not needed.
    backbone.model.base_model(
        inputs_embeds=embeddings.chunk(pieces, dim=1)[0], **{backbone.cache_keyword: prefix.cache}
    )
    return True
