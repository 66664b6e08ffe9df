"""The engine that generates on a backbone in this process, and how one is loaded."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from spring.generation.fitting import fit
from spring.generation.kv_cache import PrefixCache
from spring.generation.leave_one_out import LeaveOneOut
from spring.generation.model_thread import ModelThread
from spring.generation.prefix_trial import use_shared_prefix
from spring.generation.step_pool import steps_for
from spring.generation.stream import Stream
from spring.generation.types import GREEDY, Attribution, DecodingOptions, GenerationRequest, Progress, PromptDraft
from spring.models.backbone import Backbone
from spring.models.finder import find_tokens
from spring.models.loader import load_backbone, to_stderr
from spring.models.memory import free_bytes, size_of
from spring.models.virtual_tokens import VirtualTokens
from spring.settings import DEFAULT_BACKBONE, DecodeStep, decode_step

P = ParamSpec("P")
T = TypeVar("T")

ROWS_AT_ONCE = defaultdict(lambda: 32, cpu=64, cuda=128)  # answers in a batch, where there is memory for them
ROW_POSITIONS = 1024  # passages, virtual tokens, question and answer of one of them
DEFAULT_CACHE_BYTES = 512 * 2**20


class LocalEngine:
    """Generates on one backbone with one set of virtual tokens, for any number of callers.

    All work on the model runs on a single thread, one step (a piece of the passages, one token) at a time. Several
    streams therefore alternate, and a stream that is no longer read costs nothing: dropping it stops it.

    Args:
        backbone: the loaded model.
        tokens: its virtual tokens.
        cache_bytes: memory for passages that were read.
        step: how it decodes (`spring.generation.step_pool.steps_for`); None: as SPRING_STEP says.

    Raises:
        TokenFileError: the virtual tokens are another backbone's.
        SpringError: SPRING_STEP is none of the ways there are.

    """

    def __init__(
        self,
        backbone: Backbone,
        tokens: VirtualTokens,
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        step: DecodeStep | None = None,
    ) -> None:
        tokens.require(backbone.name, backbone.hidden)
        self.backbone = backbone
        self.tokens = tokens
        self.prefixes = PrefixCache(cache_bytes)
        self.steps = steps_for(backbone, step or decode_step())
        self._thread = ModelThread(make_room=self._make_room)
        self.on_worker(use_shared_prefix, backbone)

    ready = True  # from the start: the model is loaded

    @property
    def identity(self) -> Mapping[str, str]:
        """What the answers depend on, as names and values; what is long is a SHA-256."""
        tokenizer = self.backbone.tokenizer
        return {
            "backbone": self.backbone.name,
            "precision": self.backbone.precision,
            "weights": self.backbone.fingerprint,
            "tokenizer": hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode() + b"\0").hexdigest(),
            "chat template": str(tokenizer.chat_template or ""),
            "layout": self.backbone.tokenization.layout,
            "token file": hashlib.sha256(self.tokens.embeddings.numpy().tobytes()).hexdigest(),
        }

    @property
    def device(self) -> str:
        """Where the model is: "cpu", "cuda", ..."""
        return self.backbone.model.device.type

    @property
    def rows_at_once(self) -> int:
        """Answers that fill a batch and take at most half of the memory that is free now."""
        model = self.backbone.model
        row = size_of(model).cached * model.dtype.itemsize * ROW_POSITIONS
        return max(1, min(ROWS_AT_ONCE[self.device], free_bytes(self.device == "cuda") // 2 // row))

    def fit(self, draft: PromptDraft) -> int:
        """How many of the passages fit into the context; see `spring.generation.fitting.fit`."""
        return fit(draft, self.backbone.tokenization, self.backbone.context_length)

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions = GREEDY) -> Iterator[Progress]:
        """Generate all answers at once; yields a snapshot after every piece of the passages and every token.

        Args:
            requests: prompts and their k, 0 <= k <= n; prompts may differ.
            options: length of the answers, sampling.

        Raises:
            PromptError: a k out of range, or a prompt longer than the context.

        """
        return Stream(self, requests, options).run()

    def attribute(self, draft: PromptDraft, ids: Sequence[Sequence[int]]) -> Iterator[Attribution]:
        """Attribute generated answers to the passages; see `spring.generation.leave_one_out`.

        Raises:
            PromptError: the answers do not belong to the draft, or do not fit into the context.

        """
        return LeaveOneOut(self, draft, ids).run()

    def _make_room(self) -> None:
        self.prefixes.clear()
        if self.steps is not None:
            self.steps.clear()

    def on_worker(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step on the model thread in inference mode and wait for it.

        Raises:
            ModelError: there is not enough memory for it.

        """
        return self._thread.run(function, *args, **kwargs)


def load_engine(
    backbone: str = DEFAULT_BACKBONE,
    tokens: str | Path | None = None,
    precision: str = "auto",
    cache_bytes: int = DEFAULT_CACHE_BYTES,
    report: Callable[[str], None] = to_stderr,
    layout: str = "training",
    engine: type[LocalEngine] = LocalEngine,
) -> LocalEngine:
    """Load a backbone and its virtual tokens: `tokens`, those shipped or published for it, or the initial values.

    Raises:
        BackboneError: the backbone cannot be loaded.
        TokenFileError: the token file cannot be used, or is another backbone's.
        SpringError: SPRING_STEP is none of the ways there are.

    """
    decode_step()  # a wrong one is refused before the model is loaded
    found = find_tokens(tokens, backbone, report)
    if found is not None and found.at_front != (layout == "front"):
        place = "front" if found.at_front else "seam"
        report(
            f"These virtual tokens were learned for another place in the prompt: --position {place} puts them there."
        )
    load = partial(load_backbone, backbone, precision, report, found, layout)
    if torch.cuda.is_available():  # also as if, on ZeroGPU, where only the main thread may load
        loaded = load()
    else:
        # Each thread that computes on a processor has an OpenMP team. While there is another one beside that of the
        # model's thread, more threads than cores, its barriers sleep; so the thread that loads ends with its team.
        with ThreadPoolExecutor(1, thread_name_prefix="loading") as loading:
            loaded = loading.submit(load).result()
    return engine(loaded, found or loaded.initial_virtual_tokens(), cache_bytes)
