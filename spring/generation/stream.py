"""Stream the answers for several k at once: one batch over one shared passage cache.

A row of the batch sees  [passages | t1 .. tk | question]. In the key/value cache every row has the same slots,

    | padding | passages | t1 ......... tK | padding | question | answer ...

with K the largest k asked for. The virtual tokens stand after the passages and before the question, so neither
depends on k: passages and t1..tK are computed once, copied into every row, and row k masks the tokens beyond its k
(k = 0 masks all of them: the plain prompt). Positions count the visible slots alone, as in a prompt of its own.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from transformers import Cache

from spring.errors import PromptError
from spring.generation.kv_cache import Prefix, keep_rows, new_cache, stack_prefixes
from spring.generation.types import Answer, DecodingOptions, GenerationRequest, Progress, check_ks

if TYPE_CHECKING:
    from spring.generation.engine import LocalEngine

# Passages are read in pieces of so many tokens, so that Stop need not wait for all of them.
PREFILL_CHUNK = defaultdict(lambda: 4096, cpu=384)
GREEDY_BELOW = 1e-4  # a lower temperature would be 0 in the logits' precision


class Stream:
    """The state of one call of `LocalEngine.stream`."""

    def __init__(self, engine: "LocalEngine", requests: Sequence[GenerationRequest], settings: DecodingOptions) -> None:
        self.virtual = [request.virtual_tokens for request in requests]
        check_ks(self.virtual, len(engine.tokens))
        self.started = time.perf_counter()
        self.engine, self.backbone, self.settings = engine, engine.backbone, settings
        self.most_virtual = max(self.virtual)
        encoded = [self.backbone.encode(request.prompt) for request in requests]
        self.before = [tuple(before) for before, _ in encoded]
        self.after = [after for _, after in encoded]
        for k, before, after in zip(self.virtual, self.before, self.after, strict=True):
            longest = self.backbone.context_length
            if (needed := len(before) + k + len(after) + settings.max_new_tokens) > longest:
                raise PromptError(
                    f"Passages, question and answer need {needed} tokens, but {self.backbone.name} takes {longest}: "
                    "use fewer passages, a shorter question or a shorter answer."
                )
        self.ids: list[list[int]] = [[] for _ in requests]
        self.rows = list(range(len(requests)))  # of the batch: which answer each is
        self.progress = Progress(
            tuple(Answer(request.virtual_tokens, request.instruction) for request in requests),
            prefix_tokens=sum(map(len, set(self.before))),
        )

    def run(self) -> Iterator[Progress]:
        """Generate; yields a snapshot after every piece of the passages and every token."""
        prefixes: dict[tuple[int, ...], Prefix] = {}
        for ids in dict.fromkeys(self.before):
            for prefix in self._read(ids):
                prefixes[ids] = prefix
                yield self.progress
        step = self.engine.on_worker(self._ask, [prefixes[ids] for ids in self.before])
        prefixes.clear()  # the rows have their own copies; the budget decides what else is kept
        while True:
            next_ids, cache, mask = step
            self._append(next_ids)
            yield self.progress
            if self.progress.done:
                return
            going_on = [place for place, row in enumerate(self.rows) if not self.progress.answers[row].ended]
            if self.settings.drop_ended and len(going_on) < len(self.rows):
                next_ids, cache, mask = self.engine.on_worker(self._drop, going_on, next_ids, cache, mask)
            step = self.engine.on_worker(self._decode, next_ids, cache, mask)

    def _read(self, ids: tuple[int, ...]) -> Iterator[Prefix]:
        """Take a prefix from the cache, or read it piece by piece; yields it after every piece."""
        worker, before = self.engine.on_worker, self.progress.prefix_read
        prefix = worker(self.engine.prefixes.get, ids)
        if prefix is None:
            prefix = Prefix(ids, new_cache(self.backbone.layers, len(ids) + len(self.engine.tokens)))
        else:
            self.progress = replace(self.progress, prefix_hits=self.progress.prefix_hits + 1)
        while worker(self._read_on, prefix):
            self._tell(before, prefix)
            yield prefix
        worker(self.engine.prefixes.put, prefix)
        self._tell(before, prefix)
        yield prefix

    def _tell(self, before: int, prefix: Prefix) -> None:
        """Note how far the passages are read; `before` counts those of the earlier prefixes."""
        read = before + min(prefix.cache.get_seq_length(), len(prefix.ids))
        seconds = time.perf_counter() - self.started
        self.progress = replace(self.progress, prefix_read=read, prefill_seconds=seconds)

    def _read_on(self, prefix: Prefix) -> bool:
        """Read the next piece of what the prefix lacks, passages then virtual tokens; False if it lacks nothing.

        What it lacks is looked up anew each time: another stream may have added virtual tokens meanwhile.
        """
        read = prefix.cache.get_seq_length()
        passages = self.backbone.embed(torch.tensor([prefix.ids[read:]], dtype=torch.long))
        virtual = self.engine.tokens.embeddings[None, prefix.virtual_tokens : self.most_virtual]
        embeddings = torch.cat([passages, virtual.to(passages)], dim=1)
        if not embeddings.shape[1]:
            return False
        pieces = -(-embeddings.shape[1] // PREFILL_CHUNK[self.backbone.model.device.type])  # even ones
        # The inner model: logits of the passages are not wanted.
        self.backbone.model.base_model(
            inputs_embeds=embeddings.chunk(pieces, dim=1)[0], **{self.backbone.cache_keyword: prefix.cache}
        )
        return True

    def _ask(self, prefixes: list[Prefix]) -> tuple[Tensor, Cache, Tensor]:
        """Copy the prefixes into the rows' cache and let the model read the questions."""
        device = self.backbone.model.device
        self.random = torch.Generator(device).manual_seed(self.settings.seed)
        rows, passages, questions = len(self.after), max(map(len, self.before)), max(map(len, self.after))
        question_start = passages + self.most_virtual
        length = question_start + questions
        # mask (rows, slots): which slots of the cache a row sees
        mask = torch.ones((rows, length + self.settings.max_new_tokens), dtype=torch.long, device=device)
        input_ids = torch.zeros((rows, questions), dtype=torch.long)
        for row, (k, before, after) in enumerate(zip(self.virtual, self.before, self.after, strict=True)):
            mask[row, : passages - len(before)] = 0
            mask[row, passages + k : question_start] = 0
            mask[row, question_start : length - len(after)] = 0
            input_ids[row, questions - len(after) :] = torch.tensor(after)
        cache = stack_prefixes(prefixes, self.most_virtual, length + self.settings.max_new_tokens)
        return self._step(self.backbone.embed(input_ids), cache, mask)

    def _decode(self, ids: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        return self._step(self.backbone.embed(ids[:, None]), cache, mask)

    def _drop(self, keep: list[int], ids: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        """Go on with some rows of the batch alone."""
        order = keep_rows(cache, keep)
        self.rows = [self.rows[place] for place in order]
        return ids[order], cache, mask[order]

    def _step(self, embeddings: Tensor, cache: Cache, mask: Tensor) -> tuple[Tensor, Cache, Tensor]:
        """Feed embeddings (rows, length, hidden) and choose the next ids (rows,)."""
        start = cache.get_seq_length()
        end = start + embeddings.shape[1]
        positions = (mask[:, :end].cumsum(1) - 1).clamp(min=0)[:, start:]
        output = self.backbone.model(
            inputs_embeds=embeddings,
            attention_mask=self._attention(mask, start, end),
            position_ids=positions,
            **{self.backbone.cache_keyword: cache},
            logits_to_keep=1,
        )
        logits = output.logits[:, -1].float()
        if self.settings.temperature < GREEDY_BELOW:
            return logits.argmax(-1), cache, mask
        probabilities = torch.softmax(logits / self.settings.temperature, -1)
        return torch.multinomial(probabilities, 1, generator=self.random)[:, 0], cache, mask

    def _attention(self, mask: Tensor, start: int, end: int) -> Tensor | dict[str, Tensor]:
        """What the slots start..end see: (rows, end) or, where a sliding window matters, (rows, 1, slots, end).

        Transformers counts a window in slots, but some of ours are padding, or virtual tokens that a row hides.
        """
        window, seen = self.backbone.window, mask[:, :end]
        if window is None or end <= window:
            return seen
        counts = seen.cumsum(1)
        slots = torch.arange(end, device=mask.device)
        full = seen.bool()[:, None, None, :] & (slots <= slots[start:, None])
        sliding = full & (counts[:, None, start:, None] - counts[:, None, None, :] < window)
        return {"full_attention": full, "sliding_attention": sliding} if self.backbone.mixed else sliding

    def _append(self, next_ids: Tensor) -> None:
        """Add one token to every answer that has not ended."""
        seconds = time.perf_counter() - self.started
        answers = list(self.progress.answers)
        for row, token in zip(self.rows, next_ids.tolist(), strict=True):
            answer = answers[row]
            if answer.ended:
                continue  # the row goes on as a dummy: a batch of the same shape gives the same rounding
            ended: Literal["", "stop", "length"] = ""
            if token in self.backbone.eos_ids and not self.settings.ignore_eos:
                ended = "stop"
            else:
                self.ids[row].append(token)
                if len(self.ids[row]) == self.settings.max_new_tokens:
                    ended = "length"
            text = self.backbone.decode(self.ids[row])
            answers[row] = replace(
                answer,
                text=text if ended else text.rstrip("\N{REPLACEMENT CHARACTER}"),  # half of a character
                new_tokens=len(self.ids[row]),
                ended=ended,
                first_token_seconds=answer.first_token_seconds or seconds,
                seconds=seconds,
            )
        self.progress = replace(self.progress, answers=tuple(answers), ids=tuple(map(tuple, self.ids)))
