"""The engine that asks a served model: ids of passages, virtual tokens and question go to the server, ids come back."""

import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spring.errors import BackboneError, ModelError, PromptError, SpringError
from spring.generation.facts import RemoteBackbone, RemoteTokens
from spring.generation.fitting import fit
from spring.generation.openai.answer import ServedAnswer
from spring.generation.openai.attribution import ServedLeaveOneOut
from spring.generation.openai.identify import find_model, require_known_answers
from spring.generation.openai.server import ModelServer
from spring.generation.openai.streams import EventLoop, Streams
from spring.generation.types import (
    GREEDY,
    Attribution,
    DecodingOptions,
    GenerationRequest,
    Progress,
    PromptDraft,
    check_ks,
)
from spring.models.exported import read_exported

ROWS_AT_ONCE = 64  # answers that an evaluation asks for at once; the server makes batches of its own
NEVER = -100.0  # added to the logit of an id that may not be sampled
LARGEST_SEED = 2**63


class OpenAiEngine:
    """An `Engine` whose model is served elsewhere, for any number of callers at once.

    Args:
        folder: what `spring export` made; the weights need not be there.
        url: the server's address, up to `/v1`.
        model: its name for the model; empty: the only one that it has.
        key: what the server asks for; empty: nothing.
        layout: "training" or "recipe" (see `spring.models.tokenization`).

    Raises:
        BackboneError: the folder or the address is none, or the server has another model.
        ModelError: the server cannot be reached, or does not answer as it should.

    """

    device = "server"
    rows_at_once = ROWS_AT_ONCE
    ready = True  # whether the server answers is seen when it is asked

    def __init__(self, folder: str | Path, url: str, model: str = "", key: str = "", layout: str = "training") -> None:
        self.exported = read_exported(Path(os.path.expanduser(folder)), layout)
        manifest = self.exported.manifest
        self.tokenization, self.eos_ids = self.exported.tokenization, frozenset(manifest.eos_ids)
        self.server, self.loop = ModelServer(url, key), EventLoop()
        self._asked_for, self._known = model, False
        try:
            self.model, longest = self.loop.start(self._identify()).result()
        except SpringError:
            self.close()
            raise
        context = min(longest, manifest.context_length)
        self.backbone = RemoteBackbone(manifest.backbone, "served", "by a server of its own", context)
        self.tokens = RemoteTokens(len(manifest.virtual_token_ids), manifest.hidden, manifest.learned)

    def close(self) -> None:
        """End all connections to the server."""
        self.loop.start(self.server.close()).result()
        self.loop.close()

    async def _identify(self) -> tuple[str, int]:
        """The model's name on the server, and its context length; its answers are checked."""
        name, longest = await find_model(self.server, self._asked_for)
        await require_known_answers(self.server, name, self.exported)
        self._known = True
        return name, longest

    @property
    def identity(self) -> Mapping[str, str]:
        """What the answers depend on, as names and values; the server's own settings are not known."""
        manifest = self.exported.manifest
        return {
            "backbone": manifest.backbone,
            "precision": "served",
            "weights": manifest.weights,
            "tokenizer": manifest.tokenizer,
            "chat template": manifest.chat_template,
            "layout": self.tokenization.layout,
            "token file": manifest.token_file,
        }

    def fit(self, draft: PromptDraft) -> int:
        """How many of the passages fit into the context; see `spring.generation.fitting.fit`."""
        return fit(draft, self.tokenization, self.backbone.context_length)

    def ids_of(self, request: GenerationRequest) -> list[int]:
        """Ids of a prompt with its virtual tokens."""
        before, after = self.tokenization.encode(request.prompt, request.chat)
        return [*before, *self.exported.manifest.virtual_token_ids[: request.virtual_tokens], *after]

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """Generate all answers at once; yields a snapshot when tokens have come, and at least five times a second.

        Args:
            requests: prompts and their k, 0 <= k <= n; prompts may differ.
            options: length of the answers, sampling.

        Raises:
            ModelError: the server cannot be reached, or failed.
            PromptError: a k out of range, or a prompt longer than the context.

        """
        check_ks([request.virtual_tokens for request in requests], len(self.tokens))
        prompts = [self.ids_of(request) for request in requests]
        needed, longest = max(map(len, prompts)) + options.max_new_tokens, self.backbone.context_length
        if needed > longest:
            raise PromptError(
                f"Passages, question and answer need {needed} tokens, but {self.backbone.name} takes {longest} as "
                "served: use fewer passages, a shorter question or a shorter answer."
            )
        return self._run(requests, prompts, options)

    def _run(
        self, requests: Sequence[GenerationRequest], prompts: Sequence[Sequence[int]], options: DecodingOptions
    ) -> Iterator[Progress]:
        started = time.perf_counter()
        answers = [ServedAnswer(request, options, self.tokenization, self.eos_ids) for request in requests]
        read = sum(map(len, {tuple(self.tokenization.encode(it.prompt, it.chat)[0]) for it in requests}))
        progress = Progress(tuple(answer.answer for answer in answers), prefix_tokens=read)
        yield progress
        bodies = [self.body(ids, options, place) for place, ids in enumerate(prompts)]
        with Streams(self.loop, [self._pieces(body) for body in bodies]) as streams:
            for pieces in streams.pieces():
                seconds = time.perf_counter() - started
                for place, choice in pieces:
                    answers[place].add(choice, seconds)
                    if choice.get("finish_reason"):
                        streams.leave(place)
                    elif answers[place].answer.ended:
                        streams.end(place)
                if pieces and not progress.prefix_read:
                    progress = replace(progress, prefix_read=read, prefill_seconds=seconds)
                progress = replace(
                    progress,
                    answers=tuple(answer.answer for answer in answers),
                    ids=tuple(answer.ids for answer in answers),
                )
                yield progress
                if progress.done:
                    return

    def body(self, ids: Sequence[int], options: DecodingOptions, place: int) -> dict[str, Any]:
        """The JSON of a request. `return_token_ids` and `ignore_eos` are vLLM's."""
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": ids,
            "max_tokens": options.max_new_tokens,
            "temperature": options.temperature,
            "top_p": 1,
            "return_token_ids": True,
        }
        if options.temperature:
            body["seed"] = (options.seed + place) % LARGEST_SEED
            body["logit_bias"] = {str(id): NEVER for id in self.exported.manifest.virtual_token_ids}
        return body | ({"ignore_eos": True} if options.ignore_eos else {})

    async def _pieces(self, body: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        async for choice in self.asked(self.server.stream(body)):
            yield choice

    async def asked(self, answer: AsyncIterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        """An answer of the server, which is identified again if it has failed before: another may have come back."""
        try:
            if not self._known:
                await self._identify()
            async for piece in answer:
                yield piece
        except (ModelError, BackboneError):
            self._known = False
            raise

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """Attribute generated answers to the passages; the server has to tell log-probabilities of a prompt.

        Raises:
            ModelError: it does not, or it failed.
            PromptError: the answers do not belong to the draft, or do not fit into the context.

        """
        return ServedLeaveOneOut(self, draft, ids).run()
