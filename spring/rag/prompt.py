"""The only prompt strings of the project.

The layout is that of the authors' released code: no instruction and no chat template, also for chat models.
The virtual tokens are inserted at the *seam*, between the retrieved passages and the question:

    [1] passage one
    [2] passage two
    <blank line>
    | t1 .. tk |  Question: {question}
                  Answer:

A baseline in words puts text in the place of the virtual tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from spring.data.types import Passage
from spring.errors import PromptError

INSTRUCTION = (
    "According to the previous relevant passages, please answer the following question. "
    "Only return the answer without any other words."
)
"""The paper's instruction: the baseline "instruction", and the text of the tokens' initial values."""

Baseline = Literal["plain", "instruction", "examples", "chat"]
"""What an answer without virtual tokens is asked with.

plain: nothing. instruction: the paper's, before the question. examples: three worked examples before the question; the
answer ends at its first line. chat: the tokenizer's chat template around the plain prompt.
"""

BASELINES: tuple[Baseline, ...] = get_args(Baseline)

_WORKED = (
    ("What is the capital of France?", "Paris"),
    ("who wrote Hamlet", "William Shakespeare"),
    ("when did the war end", "1945"),
)


def worked_examples(end: str = "") -> str:
    """Three questions with short answers in the prompt's layout, one line each.

    Args:
        end: follows each answer; the end-of-sequence token where the text gives initial values of virtual tokens.

    """
    return "".join(f"Question: {question}\nAnswer: {answer}{end}\n" for question, answer in _WORKED)


_DRAFTED = (
    (
        "The Eiffel Tower was built for the world's fair of 1889 by the company of Gustave Eiffel. It is 330 metres "
        "high, and for 41 years no building in the world was higher.",
        "How high is the Eiffel Tower?",
        "330 metres",
    ),
    (
        "Polonium, which Marie Curie discovered in 1898 in the ore pitchblende, is named after Poland, the country in "
        "which she was born.",
        "Which country is the element polonium named after?",
        "Poland",
    ),
    (
        "Members may borrow four books at a time for three weeks. The library in Mill Lane is open from Tuesday to "
        "Saturday, and the librarian, Mrs Hale, keeps what was left behind.",
        "Who is the librarian in Mill Lane?",
        "Mrs Hale",
    ),
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text on either side of the seam; the model sees `before`, k virtual tokens, then `after`.

    Raises:
        PromptError: one side is empty.

    """

    before: str
    after: str

    def __post_init__(self) -> None:
        if not self.before or not self.after:
            raise PromptError("Both sides of the prompt need text.")

    def __str__(self) -> str:
        return self.before + self.after


def build_prompt(passages: Sequence[Passage], question: str, baseline: Baseline = "plain", left_out: int = 0) -> Prompt:
    """Lay out passages (best first) and question.

    Args:
        passages: what stands left of the seam.
        question: what stands right of it.
        baseline: words between the two; "chat" has none, as its template is the tokenizer's.
        left_out: number of a passage to leave out, while the others keep theirs; 0: none.

    Raises:
        PromptError: the question is empty.

    """
    question = question.strip()
    if not question:
        raise PromptError("Please type a question.")
    # Without passages the blank line stays: the model's key/value cache must not be empty.
    numbered = [(rank, passage) for rank, passage in enumerate(passages, start=1) if rank != left_out]
    before = "".join(f"[{rank}] {passage.titled}\n" for rank, passage in numbered) + "\n"
    words = {"instruction": f"{INSTRUCTION}\n", "examples": worked_examples()}.get(baseline, "")
    return Prompt(before, f"{words}Question: {question}\nAnswer:")


def draft_prompt(passage: Passage, question: str = "") -> Prompt:
    """Ask for a question that a passage answers, or for the answer to one; each ends with its line.

    Args:
        passage: what stands before it.
        question: the one to answer; "": it is asked for.

    """
    worked = "".join(f"Passage: {text}\nQuestion: {asked}\nAnswer: {answer}\n\n" for text, asked, answer in _DRAFTED)
    text = passage.titled.replace("\n", " ")
    return Prompt(worked, f"Passage: {text}\nQuestion:" + (f" {question}\nAnswer:" if question else ""))
