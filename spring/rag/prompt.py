"""The only prompt strings of the project.

The layout is that of the authors' released code: no instruction, no chat template, also for chat models.
The virtual tokens' place, the *seam*, lies between the retrieved passages and the question:

    [1] passage one
    [2] passage two
    <blank line>
    | t1 .. tk |  Question: {question}
                  Answer:
"""

from collections.abc import Sequence
from dataclasses import dataclass

from spring.data.types import Passage
from spring.errors import PromptError

INSTRUCTION = (
    "According to the previous relevant passages, please answer the following question. "
    "Only return the answer without any other words."
)
"""The paper's instruction: the text of the "told in words" baseline and of the tokens' initial values."""


_WORKED = (
    ("What is the capital of France?", "Paris"),
    ("who wrote Hamlet", "William Shakespeare"),
    ("when did the war end", "1945"),
)


def worked_examples(end: str) -> str:
    """Short answers as this layout has them, each followed by the end-of-sequence token: text for initial values."""
    return "".join(f"Question: {question}\nAnswer: {answer}{end}\n" for question, answer in _WORKED)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text on either side of the seam; the model sees `before`, k virtual tokens, then `after`."""

    before: str
    after: str

    def __post_init__(self) -> None:
        if not self.before or not self.after:
            raise PromptError("Both sides of the prompt need text.")

    def __str__(self) -> str:
        return self.before + self.after


def build_prompt(passages: Sequence[Passage], question: str, *, instruction: bool = False) -> Prompt:
    """Lay out passages (best first) and question, with the paper's instruction in words if asked for.

    Raises:
        PromptError: the question is empty.

    """
    question = question.strip()
    if not question:
        raise PromptError("Please type a question.")
    # Without passages the blank line alone stays: the model's key/value cache must not be empty.
    before = "".join(f"[{rank}] {passage.titled}\n" for rank, passage in enumerate(passages, start=1)) + "\n"
    told = f"{INSTRUCTION}\n" if instruction else ""
    return Prompt(before, f"{told}Question: {question}\nAnswer:")
