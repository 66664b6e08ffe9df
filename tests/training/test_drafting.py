"""Drafting: what the model writes is kept only with its answer in the passage that the question finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from spring.data.types import Passage
from spring.generation.engine import LocalEngine
from spring.generation.interface import Engine
from spring.generation.types import Answer, DecodingOptions, GenerationRequest, Progress, PromptDraft
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import draft_prompt
from spring.training.drafting import ROUNDS, Drafts, draft
from tests.conftest import FERRY, KITES, MAST, PASSAGES

GOOD = {
    FERRY: ("When does the ferry leave the northern pier?", "nine"),
    MAST: ("How high is the radio mast?", "ninety metres"),
    KITES: ("What does every child get at the festival?", "a bun"),
}


@dataclass
class Scripted:
    """An engine that writes what the test says: by passage a question and an answer, and the answer asked again."""

    script: dict[str, tuple[str, str]]
    again: dict[str, str] = field(default_factory=dict)
    learned: str = "in the tests"
    asked: list[GenerationRequest] = field(default_factory=list)
    rows_at_once: int = 2

    @property
    def tokens(self) -> Any:
        return type("Tokens", (), {"learned": self.learned, "__len__": lambda self: 50})()

    def fit(self, draft: PromptDraft) -> int:
        return len(draft.passages)

    def stream(self, requests: Sequence[GenerationRequest], options: DecodingOptions) -> Iterator[Progress]:
        self.asked += requests
        yield Progress(tuple(Answer(r.virtual_tokens, r.baseline, self._text(r)) for r in requests))

    def _text(self, request: GenerationRequest) -> str:
        after = request.prompt.after
        if not after.startswith("Passage: "):
            question = after.split("Question: ")[-1].partition("\n")[0]
            return (dict(self.script.values()) | self.again)[question]
        passage = next(text for text in self.script if text in after)
        question, answer = self.script[passage]
        return answer if after.endswith("Answer:") else question


def drafted(script: dict[str, tuple[str, str]], number: int = 3, **more: Any) -> tuple[Drafts, Scripted]:
    engine = Scripted(GOOD | script, **more)
    *_, drafts = draft(cast(Engine, engine), PASSAGES, Bm25Retriever(PASSAGES), number)
    return drafts, engine


def test_good_pairs_are_kept_and_no_more_than_asked_for() -> None:
    drafts, engine = drafted({})
    assert {(pair.question, pair.answer) for pair in drafts.pairs} == set(GOOD.values())
    assert all(pair.answer in pair.passage.text for pair in drafts.pairs)
    assert {(request.virtual_tokens, request.baseline) for request in engine.asked} == {(0, "examples"), (50, "")}
    assert len(drafted({}, number=1)[0].pairs) == 1
    assert not drafts.dropped


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (("The ferry is old.", "nine"), "no question"),
        (("Ferry?", "nine"), "no question"),
        (("word " * 500 + "?", "nine"), "no question"),
        (("\x1b[31m\ud800", "nine"), "no question"),
        (("", ""), "no question"),
        (("How high is the radio mast at Long Agnes?", "ninety metres"), "another passage is found first"),
        (("Who won the war of the roses?", "nine"), "another passage is found first"),
        (("When does the ferry leave the northern pier?", "at ten"), "the answer does not stand in the passage"),
        (("When does the ferry leave the northern pier?", "The"), "no short answer"),
        (("When does the ferry leave the northern pier?", "wool " * 20), "no short answer"),
        (("When does the ferry leave the northern pier?", "the ferry"), "the question holds its answer"),
    ],
)
def test_what_is_dropped_has_a_reason(written: tuple[str, str], reason: str) -> None:
    drafts, _ = drafted({FERRY: written})
    assert drafts.dropped[reason] >= 1
    assert [pair for pair in drafts.pairs if pair.passage.text == FERRY] == []
    assert len(drafts.pairs) == 2
    assert drafts.drafted == 3 * ROUNDS  # all were tried again
    assert sum(drafts.dropped.values()) == 3 * ROUNDS - 2


def test_an_answer_that_changes_when_asked_again_is_dropped() -> None:
    drafts, _ = drafted({}, again={GOOD[FERRY][0]: "ten"})
    assert drafts.dropped["asked again, the answer is another one"] == 1
    assert len(drafts.pairs) == 2


def test_without_learned_tokens_words_ask_again() -> None:
    drafts, engine = drafted({}, learned="")
    assert len(drafts.pairs) == 3
    assert {request.baseline for request in engine.asked} == {"examples"}


def test_the_prompt_holds_a_passage_on_one_line_and_shares_what_stands_before() -> None:
    one, other = (draft_prompt(Passage("a", 1, 0, "Two\nlines.", title=title)) for title in ("", "Title"))
    assert one.before == other.before
    assert (one.after, other.after) == ("Passage: Two lines.\nQuestion:", "Passage: Title Two lines.\nQuestion:")


def test_a_real_engine_drafts_too(llama_engine: LocalEngine) -> None:
    *_, drafts = draft(llama_engine, PASSAGES, Bm25Retriever(PASSAGES), 1)
    assert drafts.drafted == 3 * ROUNDS
    assert drafts.pairs == []  # random weights write no question; and not all prompts fit into the context
