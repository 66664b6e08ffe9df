"""vLLM in this process, in fp32: all prompts at once, with its cache of prefixes."""

import os
import time
from collections.abc import Callable
from typing import Any

# Both cores, of which it would leave one to others; and a cache for these prompts, not for 40 % of the memory.
os.environ.update({"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"})

from vllm import LLM, SamplingParams

from benchmarks.peers.worker import Answered, serve


def load(setting: dict[str, Any]) -> Callable[[list[int], bool], Answered]:
    """The model on the processor."""
    model = LLM(setting["folder"], dtype="float32", max_model_len=2048, enable_prefix_caching=True)

    def generate(ks: list[int], new_tokens: int) -> list[list[int]]:
        prompts = [{"prompt_token_ids": setting["ids"][str(k)]} for k in ks]
        sampling = SamplingParams(temperature=0, max_tokens=new_tokens, ignore_eos=True)
        return [list(output.outputs[0].token_ids) for output in model.generate(prompts, sampling, use_tqdm=False)]

    def answer(ks: list[int], again: bool) -> Answered:
        times = []
        for new_tokens in (1, setting["new_tokens"]):
            if not again:
                model.reset_prefix_cache()
            begun = time.perf_counter()
            ids = generate(ks, new_tokens)
            times.append(time.perf_counter() - begun)
        return Answered(times[0], times[1], ids)

    return answer


if __name__ == "__main__":
    serve(load)
