"""The seam: which ids stand left and right of the virtual tokens.

In training (`fine_tune_qa_dataset.py` and the collator of https://github.com/DaoD/SPRING) the whole text is encoded at
once and the tokens are put in before `Question:`: that is the layout "training", the default. Users of the published
files write `[ref1][ref2]...` into the text, and then the tokenizer encodes what is left and right of them apart: that
is "recipe". Whether the two differ depends on the tokenizer, as tests/test_layout.py shows with transformers 5.24 and
tokenizers 0.23:

- a space mark put before the first piece alone, or before none (Metaspace with `prepend_scheme` "first" or "never", as
  transformers builds Llama's from `"legacy": false`): no difference.
- a space mark put before every piece ("always", as from `"legacy": true`): the recipe reads `▁Question` where training
  read `Question`.
- a normalizer that puts the mark (`Prepend`, in a tokenizer.json that is read as it is, as transformers does for
  Mistral): the recipe's tokens are not found in the text at all, and the model reads the letters `[ref1]`. Here
  "recipe" is what it gives once they are found (`normalized=False`): as "always".
- byte-level BPE (the default backbone): it may join the line ends before the seam, which training did not.

The published Llama-2 files go with the first kind and the Mistral files with the third, as far as is known without the
hub: their `legacy` is from memory.
"""

import copy
import secrets

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

from spring.errors import PromptError
from spring.rag.prompt import Prompt

LAYOUTS = ("training", "recipe")


def encode_at_once(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Return the ids left and right of the seam as in training.

    The whole text is encoded at once and then split by character offsets, so that the ids are the same for every k and
    equal to the plain prompt's: encoding the halves apart goes wrong on SentencePiece tokenizers, which put a space
    mark before every text.

    Raises:
        PromptError: nothing is left on one side.

    """
    encoded = tokenizer(str(prompt), return_offsets_mapping=True, return_special_tokens_mask=True)
    ids, offsets, special = encoded["input_ids"], encoded["offset_mapping"], encoded["special_tokens_mask"]
    while special and special[-1]:  # an end-of-sequence mark would end the prompt before the answer
        ids, offsets, special = ids[:-1], offsets[:-1], special[:-1]
    seam = len(prompt.before)
    after = (i for i, (start, _) in enumerate(offsets) if start >= seam and not special[i])
    return _split(ids, next(after, len(ids)), 0)


def parting(tokenizer: PreTrainedTokenizerBase) -> tuple[PreTrainedTokenizerBase, str]:
    """A copy of a tokenizer that knows one more token, and that token: no document can guess it."""
    token = f"[seam {secrets.token_hex(8)}]"
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.add_tokens([AddedToken(token, normalized=False)])
    return tokenizer, token


def encode_apart(tokenizer: PreTrainedTokenizerBase, token: str, prompt: Prompt) -> tuple[list[int], list[int]]:
    """Return the ids left and right of the seam where a token of the tokenizer's own stands there: the recipe's.

    Args:
        tokenizer: one that knows the token (`parting`).
        token: what parts the text.
        prompt: the text.

    Raises:
        PromptError: nothing is left on one side.

    """
    encoded = tokenizer(f"{prompt.before}{token}{prompt.after}", return_special_tokens_mask=True)
    ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
    while special[-1]:
        ids, special = ids[:-1], special[:-1]
    return _split(ids, ids.index(tokenizer.convert_tokens_to_ids(token)), 1)


def _split(ids: list[int], place: int, width: int) -> tuple[list[int], list[int]]:
    before, after = ids[:place], ids[place + width :]
    if not before or not after:
        raise PromptError("The question has no text that the model can read; please rephrase it.")
    return before, after
