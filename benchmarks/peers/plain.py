"""`generate` of transformers: all prompts as one batch, padded on the left."""

import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.streamers import BaseStreamer

from benchmarks.peers.worker import Answered, serve


class Clock(BaseStreamer):
    """Notes when the first new token comes."""

    def __init__(self) -> None:
        self.calls, self.first = 0, 0.0

    def put(self, value: torch.Tensor) -> None:
        """Is called with the prompt, then with every token."""
        self.calls += 1
        if self.calls == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        """Nothing is left to do."""


def load(setting: dict[str, Any]) -> Callable[[list[int], bool], Answered]:
    """The plain model in the setting's type."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[setting["precision"]]
    model = AutoModelForCausalLM.from_pretrained(setting["folder"], dtype=dtype, attn_implementation="sdpa").eval()
    model.generation_config.eos_token_id = None

    def answer(ks: list[int], again: bool) -> Answered:
        prompts = [setting["ids"][str(k)] for k in ks]
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        clock, begun = Clock(), time.perf_counter()
        with torch.inference_mode():
            output = model.generate(
                ids,
                attention_mask=mask,
                max_new_tokens=setting["new_tokens"],
                do_sample=False,
                pad_token_id=0,
                streamer=clock,
            )
        return Answered(clock.first - begun, time.perf_counter() - begun, output[:, longest:].tolist())

    return answer


if __name__ == "__main__":
    serve(load)
