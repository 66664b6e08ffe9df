"""A backbone's tokenization without its weights: prompts to ids on either side of the seam, and ids to text.

The training code of the authors (`fine_tune_qa_dataset.py` and the collator of https://github.com/DaoD/SPRING) encodes
the whole text at once and inserts the virtual tokens before `Question:`. That is the layout "training", the default.
Users of the published files write `[ref1][ref2]...` into the text, so that the tokenizer encodes the text on either
side of them separately. That is the layout "recipe". Whether the ids differ depends on the tokenizer, as
tests/models/test_tokenization.py shows with transformers 5.24 and tokenizers 0.23:

- Metaspace with `prepend_scheme` "first" or "never" (transformers builds Llama's so from `"legacy": false`): the ids
  are the same.
- Metaspace with `prepend_scheme` "always" (from `"legacy": true`): the recipe reads `▁Question` where training read
  `Question`.
- A `Prepend` normalizer (a tokenizer.json that is used as it is, as transformers does for Mistral): the recipe's tokens
  are not found in the text, and the model reads the letters `[ref1]`. Here "recipe" means the ids that result once the
  tokens are found (`normalized=False`), which equal those of "always".
- Byte-level BPE (the default backbone): it may join the line ends before the seam, which training did not.

The layout "front" puts the tokens before the whole prompt, a beginning-of-sequence token included, as PEFT's prompt
tuning does (https://huggingface.co/docs/peft/package_reference/prompt_tuning). Nothing stands left of them then, so no
passage is shared by several k.

The published Llama-2 files belong to the first kind and the Mistral files to the third, as far as is known without
access to the hub: their `legacy` flag is quoted from memory.
"""

import copy
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from jinja2 import TemplateError
from tokenizers import AddedToken

from spring.errors import BackboneError, PromptError
from spring.rag.prompt import Prompt
from spring.settings import DEFAULT_BACKBONE

if TYPE_CHECKING:  # transformers imports torch, which an engine without weights need not wait for
    from transformers import PreTrainedTokenizerBase

LAYOUTS = ("training", "recipe", "front")


@dataclass(frozen=True, eq=False)
class Tokenization:
    """A fast tokenizer and the layout of its prompts.

    Attributes:
        name: the backbone's name, for messages.
        tokenizer: loaded with `split_special_tokens=True`, so that special tokens written in a document stay text.
        layout: "training", "recipe" or "front", see the module's docstring.

    Raises:
        BackboneError: the tokenizer has no offsets.

    """

    name: str
    tokenizer: "PreTrainedTokenizerBase"
    layout: str = "training"

    def __post_init__(self) -> None:
        if not self.tokenizer.is_fast:
            raise BackboneError(
                f"{self.name} has no fast tokenizer (tokenizer.json), which finding the seam needs: choose the "
                f"backbone {DEFAULT_BACKBONE}, or another that has one."
            )

    def encode(self, prompt: Prompt, chat: bool = False) -> tuple[list[int], list[int]]:
        """Return the ids left and right of the virtual tokens, which are the same for every k.

        Args:
            prompt: the text on either side.
            chat: put the prompt as a user's message into the tokenizer's chat template.

        Raises:
            PromptError: one side has no ids, or there is no chat template.

        """
        if self.layout == "recipe" and not chat:
            return self._encode_separately(prompt)
        before, after = self._encode_in_chat(prompt) if chat else self._encode_whole(prompt)
        return ([], before + after) if self.layout == "front" else (before, after)

    def count(self, prompt: Prompt, chat: bool = False) -> int:
        """Number of ids of a prompt, virtual tokens excluded."""
        before, after = self.encode(prompt, chat)
        return len(before) + len(after)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, without special tokens and outer white space."""
        return self.decode_exactly(ids).strip()

    def decode_exactly(self, ids: Sequence[int]) -> str:
        """Text of generated ids without special tokens; white space is kept."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def ids_of(self, text: str) -> list[int]:
        """Ids of a text by itself, without those that the tokenizer puts around a prompt."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def token_name(self, id: int) -> str:
        """Text of one id, for example "<|im_end|>"; special tokens are written out."""
        return str(self.tokenizer.decode([id], clean_up_tokenization_spaces=False))

    def answer_ids(self, prompt: Prompt, encoded: list[int], answer: str) -> list[int]:
        """Ids of an answer behind a prompt that is encoded already.

        Where the tokenizer would merge the answer with the prompt's end, the answer is encoded separately. Special
        tokens that the tokenizer itself adds are kept.

        Args:
            prompt: what stands before the answer.
            encoded: its ids, of both sides.
            answer: its text.

        """
        whole: list[int] = self.tokenizer(f"{prompt} {answer}")["input_ids"]
        if whole[: len(encoded)] == encoded:
            return whole[len(encoded) :]
        alone: list[int] = self.tokenizer(answer)["input_ids"]
        return alone

    def _encode_whole(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Encode the whole text and split the ids by character offsets: the layout "training".

        The ids equal the plain prompt's. Encoding the halves separately goes wrong on SentencePiece tokenizers, which
        put a space mark before every text.
        """
        encoded = self.tokenizer(str(prompt), return_offsets_mapping=True, return_special_tokens_mask=True)
        ids, offsets, special = encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"]
        while special and special[-1]:  # an end-of-sequence token would end the prompt before the answer
            ids, offsets, special = ids[:-1], offsets[:-1], special[:-1]
        seam = len(prompt.before)
        after = (i for i, (start, _) in enumerate(offsets) if start >= seam and not special[i])
        return _split(ids, next(after, len(ids)), 0)

    def _encode_separately(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Encode the text with a token of its own at the seam: the layout "recipe"."""
        tokenizer, token = self._seam_tokenizer
        encoded = tokenizer(f"{prompt.before}{token}{prompt.after}", return_special_tokens_mask=True)
        ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
        while special[-1]:
            ids, special = ids[:-1], special[:-1]
        return _split(ids, ids.index(tokenizer.convert_tokens_to_ids(token)), 1)

    @cached_property
    def _seam_tokenizer(self) -> "tuple[PreTrainedTokenizerBase, str]":
        """A copy of the tokenizer that knows one more token, and that token, which no document can guess."""
        token = f"[seam {secrets.token_hex(8)}]"
        tokenizer = copy.deepcopy(self.tokenizer)
        tokenizer.add_tokens([AddedToken(token, normalized=False)])
        return tokenizer, token

    def _encode_in_chat(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Ids of the chat template around the prompt; only the template's own special tokens become special ids."""
        head, tail = self.chat_frame
        before, after = self._encode_whole(prompt)
        if before[0] == self.tokenizer.bos_token_id:  # the template writes its own
            before = before[1:]
        return [*head, *before], [*after, *tail]

    @cached_property
    def chat_frame(self) -> tuple[list[int], list[int]]:
        """Ids of the chat template before and after a user's message."""
        message = f"message {secrets.token_hex(8)}"
        try:
            if not self.tokenizer.chat_template:
                raise ValueError("no chat template")
            text = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
            )
            head, tail = str(text).split(message)
        except (ValueError, TypeError, TemplateError) as error:
            raise PromptError(
                f"The tokenizer of {self.name} has no chat template: leave out the baseline chat."
            ) from error
        tokenizer = copy.deepcopy(self.tokenizer)
        tokenizer.split_special_tokens = False
        return tokenizer(head, add_special_tokens=False)["input_ids"], tokenizer(tail, add_special_tokens=False)[
            "input_ids"
        ]


def _split(ids: list[int], place: int, width: int) -> tuple[list[int], list[int]]:
    """The ids on either side of a seam that is `width` ids wide."""
    before, after = ids[:place], ids[place + width :]
    if not before or not after:
        raise PromptError("The question has no text that the model can read; please rephrase it.")
    return before, after
