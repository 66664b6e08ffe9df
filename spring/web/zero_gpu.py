"""Answers on Hugging Face's ZeroGPU, which lends a GPU for one function call at a time.

`spaces` holds the model's weights while there is no GPU, and runs the decorated function in a process forked from this
one. Therefore the model is loaded before the page is served, in the main thread (only that thread knows tensors "on
the GPU"); arguments and results are pickled; and changes made by the call are not visible here. The forked process may
serve several calls and then finds the passages that it has read; no answer depends on that.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import ParamSpec, TypeVar

import gradio as gr
import spaces
import torch

from spring.errors import ModelError, SpringError
from spring.generation.engine import DEFAULT_CACHE_BYTES, LocalEngine, load_engine
from spring.generation.model_thread import OUT_OF_MEMORY
from spring.generation.types import GREEDY, Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft
from spring.models.backbone import Backbone
from spring.models.loader import to_stderr
from spring.models.virtual_tokens import VirtualTokens

P = ParamSpec("P")
T = TypeVar("T")

# The duration announced for a call, in seconds: the call is ended after it, and shorter ones go first in the queue.
# Conservative estimates for a 7B model in 4 bits; the weights are moved to the GPU within the call.
SECONDS_TO_START = 10
TOKENS_READ_IN_A_SECOND = 1_000
STEPS_IN_A_SECOND = 8  # a step adds one token to every answer
ROWS_OF_A_STEP = 16  # answers at once up to which a step takes that long


class ZeroGpuEngine(LocalEngine):
    """An engine whose every stream is one call on a lent GPU."""

    def __init__(self, backbone: Backbone, tokens: VirtualTokens, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        super().__init__(backbone, tokens, cache_bytes, step="eager")
        self._lent: Callable[..., Iterator[Progress]] = spaces.GPU(duration=self.seconds)(self._generate)
        self._lent_why: Callable[..., Iterator[Attribution]] = spaces.GPU(duration=self.attribution_seconds)(self._why)

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """As `LocalEngine.stream`; bad requests are refused here, without a GPU.

        Raises:
            PromptError: as `LocalEngine.stream`.
            ModelError: there is not enough memory for it; raised when the stream is read, as the next.
            SpringError: there is no GPU for this visitor now, or it was taken away.

        """
        super().stream(requests, options)
        return _follow(self._lent, tuple(requests), options)

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """As `LocalEngine.attribute`; bad requests are refused here, without a GPU. Errors as of `stream`."""
        super().attribute(draft, ids)
        return _follow(self._lent_why, draft, tuple(map(tuple, ids)))

    def seconds(self, requests: Sequence[GenerationRequest], options: DecodingOptions) -> int:
        """Duration to announce for a call."""
        prompts = {(request.prompt, request.chat) for request in requests}
        read = sum(self.backbone.tokenization.count(*prompt) for prompt in prompts)
        steps = options.max_new_tokens * max(1, len(requests) / ROWS_OF_A_STEP)
        return ceil(SECONDS_TO_START + read / TOKENS_READ_IN_A_SECOND + steps / STEPS_IN_A_SECOND)

    def attribution_seconds(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> int:
        """Duration to announce for an attribution, which reads the passages about twice, and everything else often."""
        requests, conditions = draft.requests(len(draft.passages)), len(draft.passages) + 4
        counts = [self.backbone.tokenization.count(request.prompt, request.chat) for request in requests]
        answers = sum(map(len, ids)) + sum(request.virtual_tokens + 64 for request in requests)
        return ceil(
            SECONDS_TO_START + (len(draft.passages) * max(counts) + conditions * answers) / TOKENS_READ_IN_A_SECOND
        )

    def on_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step in place: a forked process has one thread and one call at a time, and no model thread.

        Raises:
            gr.Error: there is not enough memory for it. `spaces` passes on the message of no other error.

        """
        try:
            with torch.inference_mode():
                return function(*args, **kwargs)
        except (MemoryError, torch.OutOfMemoryError):
            pass
        # Here the error is released, and with it the tensors that its traceback held.
        self.prefixes.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise gr.Error(OUT_OF_MEMORY, print_exception=False)

    def _generate(self, requests: Sequence[GenerationRequest], options: DecodingOptions) -> Iterator[Progress]:
        """In the forked process."""
        yield from super().stream(requests, options)

    def _why(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """In the forked process."""
        yield from super().attribute(draft, ids)


def _follow(lent: Callable[P, Iterator[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
    """The snapshots of a call on a lent GPU, with its errors as ours."""
    try:
        yield from lent(*args, **kwargs)
    except gr.Error as error:
        if error.message == OUT_OF_MEMORY:
            raise ModelError(OUT_OF_MEMORY) from error
        raise SpringError(one_sentence(error)) from error


def load_for_zero_gpu(backbone: str, tokens: str | Path | None, precision: str, cache_bytes: int) -> ZeroGpuEngine:
    """As `load_engine`, for a page on ZeroGPU; to be called in the main thread, before the page is served."""
    os.environ["HF_DEACTIVATE_ASYNC_LOAD"] = "1"  # otherwise transformers moves the weights to the GPU in other threads
    engine = load_engine(backbone, tokens, precision, cache_bytes, engine=ZeroGpuEngine)
    to_stderr(
        "A GPU that is lent for one call at a time decodes eagerly: a recorded step would be lost with each call."
    )
    assert isinstance(engine, ZeroGpuEngine)
    return engine


def one_sentence(error: gr.Error) -> str:
    """The message of an error of `spaces` (sentences, links, tags), for example a used-up quota, as one sentence."""
    text = re.sub(r"<[^>]*>", "", str(error.message))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)  # [text](address)
    parts = [part.strip(" .") for part in re.split(r"\.\s+|\n", text)]
    return f"There is no GPU for this question now ({'; '.join(filter(None, parts))}): please ask again later."
