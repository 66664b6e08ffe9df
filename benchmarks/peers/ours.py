"""Our engine, of this checkout or of another one whose folder comes first on the path."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.peers.worker import Answered, serve
from spring.generation.engine import LocalEngine, load_engine
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.rag.prompt import Prompt


def load(setting: dict[str, Any]) -> Callable[[list[int], bool], Answered]:
    """An engine in the setting's precision, with tokens that are the embeddings of words."""
    backbone = load_engine(precision=setting["precision"]).backbone
    engine = LocalEngine(backbone, backbone.initial_virtual_tokens())
    prompt = Prompt(*setting["prompt"])
    options = DecodingOptions(setting["new_tokens"], ignore_eos=True)

    def answer(ks: list[int], again: bool) -> Answered:
        if not again:
            engine.prefixes.clear()
        begun = time.perf_counter()
        *_, progress = engine.stream([GenerationRequest(prompt, k) for k in ks], options)
        total = time.perf_counter() - begun
        return Answered(progress.answers[0].first_token_seconds, total, [list(ids) for ids in progress.ids])

    return answer


if __name__ == "__main__":
    serve(load)
