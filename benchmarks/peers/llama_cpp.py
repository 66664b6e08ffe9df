"""llama.cpp through PyPI's `xllamacpp`, on the GGUF of the embedded backbone: all prompts at once, in slots."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import xllamacpp

from benchmarks.peers.worker import Answered, serve


def load(setting: dict[str, Any]) -> Callable[[list[int], bool], Answered]:
    """A server with two threads and room for all prompts."""
    params = xllamacpp.CommonParams()
    params.model.path = setting["gguf"]
    params.n_parallel = len(setting["ids"])
    params.n_ctx = 1024 * params.n_parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)
    pool = ThreadPoolExecutor(params.n_parallel)

    def answer_one(prompt: list[int], again: bool) -> float:
        """When the first token came."""
        came: list[float] = []
        request = {
            "prompt": prompt,
            "max_tokens": setting["new_tokens"],
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": again,
            "stream": True,
        }
        server.handle_completions(request, lambda chunk: came.append(time.perf_counter()))
        return came[0]

    def answer(ks: list[int], again: bool) -> Answered:
        begun = time.perf_counter()
        first = list(pool.map(lambda k: answer_one(setting["ids"][str(k)], again), ks))
        return Answered(max(first) - begun, time.perf_counter() - begun, [])

    return answer


if __name__ == "__main__":
    serve(load)
