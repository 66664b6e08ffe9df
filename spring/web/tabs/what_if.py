"""What if? Ask the same question again with some passages left out, or with a fact changed in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from spring.errors import PromptError
from spring.rag.retriever import Hit, Retriever
from spring.web.shared import Shared
from spring.web.tabs.wiring import Updates
from spring.web.visitors.requests import text_of

LONGEST_PASSAGE = 4_000  # characters of one that the visitor has changed
GONE = "These passages are no longer here: ask the question anew, then change them."
WRONG = "These are not the passages that were shown: ask the question anew, then change them."
# What the visitor has done to the passages, read from the page (html/passages.py has their layout). It comes with
# every question; only "Ask again" uses it. Any other one uses all passages as they are, but Gradio keeps tick boxes
# and what is typed when it shows new passages in the place of others.
COLLECT = """(selected, collection) => {
  const passages = [...document.querySelectorAll('#passages .passages > li')];
  const edits = passages.filter(li => li.querySelector('input').checked).map(li => {
    const shown = li.querySelector('p'), original = li.querySelector('.original') ?? shown;
    const now = (li.querySelector('textarea')?.value ?? shown.textContent);
    return {rank: Number(li.dataset.rank), text: now === original.textContent ? null : now};
  });
  if (!spring.isAgain()) for (const li of passages) {
    li.querySelector('input').checked = true;
    if (li.querySelector('textarea')) li.querySelector('.edit').click();
  }
  return [selected, collection, edits];
}"""


# While there are no passages to change.
CLEARED: Updates = {"base": 0, "again": gr.update(interactive=False)}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, and from which passages."""

    question: str
    golden: Sequence[str]  # expected answers
    is_own: bool  # of the visitor's own documents
    retriever: Retriever | None = None  # finds the passages
    hits: Sequence[Hit] | None = None  # or these are used
    found: Sequence[Hit] = ()  # from which they were chosen


class WhatIf:
    """Layout and checks; the tab Compare asks."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def lay_out(self) -> dict[str, Any]:
        """The button below the passages, and what it sends.

        Returns:
            The components that a comparison changes.

        """
        self.again = gr.Button("Ask again with these passages", interactive=False, size="sm", elem_id="again")
        self.edits = gr.JSON(None, visible=False, elem_id="edits")
        return {"again": self.again, "base": gr.Number(0, visible=False, elem_id="base")}

    def begin(self, is_again: bool, edits: object) -> Updates:
        """What changes when a question is asked, again or anew."""
        return {"edits": edits} if is_again else {"edits": None, **CLEARED}

    def asked(self, visitor: str, base: float, edits: object) -> Asked | None:
        """What is asked again; None if a question is asked anew.

        Args:
            visitor: who asks.
            base: number of the comparison whose passages were shown.
            edits: of each passage that is used its rank, and its text if that was changed.

        Raises:
            PromptError: the comparison is no longer kept, or the changes do not belong to it.

        """
        if edits is None:
            return None
        kept = self.shared.history.find(visitor, base)
        if kept is None:
            raise PromptError(GONE)
        found = kept.comparison.hits
        hits = changed_hits(found, edits)
        # A changed fact has another right answer, which nobody has told.
        golden = kept.golden if all(hit in found for hit in hits) else ()
        return Asked(kept.comparison.question, golden, kept.is_own, hits=hits, found=found)


def changed_hits(found: Sequence[Hit], edits: object) -> tuple[Hit, ...]:
    """The passages that the visitor uses, in their order; one whose text was changed is a copy.

    Raises:
        PromptError: they are not of those that were found, or a text is empty or too long.

    """
    by_rank, hits = {hit.rank: hit for hit in found}, dict[int, Hit]()
    if not isinstance(edits, list) or len(edits) > len(found):
        raise PromptError(WRONG)
    for edit in edits:
        rank, text = (edit.get("rank"), edit.get("text")) if isinstance(edit, dict) else (None, None)
        if type(rank) is not int or rank not in by_rank or rank in hits or not isinstance(text, str | None):
            raise PromptError(WRONG)
        hits[rank] = by_rank[rank] if text is None else _changed(by_rank[rank], text_of(text))
    return tuple(hits[rank] for rank in sorted(hits))


def _changed(hit: Hit, text: str) -> Hit:
    if not text.strip():
        raise PromptError(f"Passage {hit.rank} is empty: untick it to leave it out.")
    if len(text) > LONGEST_PASSAGE:
        raise PromptError(f"Passage {hit.rank} has {len(text):,} characters; at most {LONGEST_PASSAGE:,}.")
    if text == hit.passage.titled:
        return hit
    return replace(hit, passage=replace(hit.passage, text=text, title=""))
