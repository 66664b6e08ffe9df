"""The way users load published virtual tokens, as the authors' README shows it; ours is compared with it.

The rows are appended to the input embedding matrix, `[ref1]`..`[ref50]` are added to the tokenizer, `lm_head`
is left alone, and the tokens' names are written into the prompt text. One `generate` call per k.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from spring.models.backbone import Backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.prompt import Prompt


@dataclass(frozen=True, eq=False)
class Recipe:
    """A model and a tokenizer extended by the virtual tokens."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    backbone: Backbone

    @classmethod
    def extend(cls, backbone: Backbone, tokens: VirtualTokens) -> "Recipe":
        """Extend copies of the backbone's model and tokenizer (the weights themselves are shared)."""
        embedding: nn.Module = backbone.model.get_input_embeddings()
        assert isinstance(embedding, nn.Embedding)
        memo = {id(parameter): parameter for parameter in backbone.model.parameters()}
        model = copy.deepcopy(backbone.model, memo)
        rows = tokens.embeddings.to(embedding.weight.device, embedding.weight.dtype)
        extended = nn.Embedding.from_pretrained(torch.cat([embedding.weight.detach(), rows]), freeze=True)
        model.set_input_embeddings(extended)
        tokenizer = copy.deepcopy(backbone.tokenizer)
        tokenizer.split_special_tokens = False
        added = tokenizer.add_tokens([f"[ref{i}]" for i in range(1, len(tokens) + 1)])
        if added != len(tokens) or len(tokenizer) != extended.num_embeddings:
            raise ValueError("The tokenizer's and the embedding matrix's sizes must agree for the recipe.")
        return cls(model, tokenizer, backbone)

    def input_ids(self, prompt: Prompt, k: int) -> torch.Tensor:
        """Ids (1, length) with those of k token names at the seam, as in training.

        Writing the names into the text, as the README does, can move the tokenizer's borders beside the seam
        (SmolLM2 joins the two line ends before `[ref1]` to one token), which training did not see.
        """
        before, after = self.backbone.tokenization.encode(prompt)
        names = [self.tokenizer.convert_tokens_to_ids(f"[ref{i}]") for i in range(1, k + 1)]
        return torch.tensor([[*before, *names, *after]], device=self.model.device)

    def generate(self, prompt: Prompt, k: int, new_tokens: int, forced: bool = False) -> list[int]:
        """Greedy ids of the answer; `forced` goes on past the end-of-sequence token."""
        ids = self.input_ids(prompt, k)
        self.model.generation_config.eos_token_id = None if forced else sorted(self.backbone.eos_ids)
        with torch.inference_mode():
            output: torch.Tensor = self.model.generate(  # type: ignore[operator]
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=0,
            )
        return [int(id) for id in output[0, ids.shape[1] :]]
