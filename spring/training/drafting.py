"""Draft questions and answers from passages, for those who have documents and no questions.

A language model writes both, so most of what it writes is dropped. A pair is kept if the question finds its passage,
first of all; if the answer stands in the passage; and if the question, asked as any other (with the virtual tokens, if
they are learned), is answered alike: roundtrip consistency, https://arxiv.org/abs/1906.05416. That does not say that
the question is a good one, or that the answer is right: people look at each.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from spring.data.answers import normalize
from spring.data.cleaning import clean_text, one_line
from spring.data.types import Passage
from spring.errors import PromptError
from spring.evaluation.metrics import contained
from spring.generation.comparison import ComparisonSettings, lay_out
from spring.generation.interface import Engine
from spring.generation.types import DecodingOptions, GenerationRequest
from spring.rag.prompt import Prompt, draft_prompt
from spring.rag.retriever import Retriever

ROUNDS = 4  # times that a passage is drafted from at most: greedily, then sampled
TEMPERATURE = 0.8
QUESTION_WORDS = (4, 30)
MOST_ANSWER_WORDS = 8
NEW_TOKENS = 48
PASSAGES = 3  # that a question is asked again with
GREEDY = DecodingOptions(NEW_TOKENS, drop_ended=True)


@dataclass(frozen=True, slots=True)
class DraftedPair:
    """A question, its answer, and the passage that both come from."""

    question: str
    answer: str
    passage: Passage


@dataclass(slots=True)
class Drafts:
    """What a run has made so far."""

    pairs: list[DraftedPair] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)  # by reason

    @property
    def drafted(self) -> int:
        """Questions that were written in all."""
        return len(self.pairs) + self.dropped.total()


def draft(
    engine: Engine, passages: Sequence[Passage], retriever: Retriever, number: int, seed: int = 0
) -> Iterator[Drafts]:
    """Draft pairs until there are enough, or each passage was tried `ROUNDS` times.

    Args:
        engine: writes.
        passages: to draft from, in an order drawn from the seed.
        retriever: must find the passage by the question.
        number: of pairs.
        seed: of the order and of the sampling.

    Yields:
        All so far, after each batch.

    """
    drafts = Drafts()
    order = random.Random(seed).sample(range(len(passages)), len(passages))
    size = max(1, min(engine.rows_at_once, 16))
    seen: set[str] = set()
    for turn in range(ROUNDS):
        for start in range(0, len(order), size):
            if len(drafts.pairs) >= number:
                return
            batch = [passages[place] for place in order[start : start + size]]
            options = DecodingOptions(NEW_TOKENS, TEMPERATURE if turn else 0.0, seed + turn, drop_ended=True)
            _draft_batch(engine, batch, retriever, options, seen, drafts)
            del drafts.pairs[number:]
            yield drafts


def _draft_batch(
    engine: Engine,
    passages: Sequence[Passage],
    retriever: Retriever,
    options: DecodingOptions,
    seen: set[str],
    drafts: Drafts,
) -> None:
    """Write a question for each passage, then an answer to each that is left."""
    asked: list[tuple[Passage, str]] = []
    for passage, text in zip(
        passages, _write(engine, [_drafting(draft_prompt(p)) for p in passages], options), strict=True
    ):
        question = _line(text)
        if reason := _wrong_question(question, passage, retriever, seen):
            drafts.dropped[reason] += 1
        else:
            seen.add(normalize(question))
            asked.append((passage, question))
    prompts = [_drafting(draft_prompt(*pair)) for pair in asked]
    answers = _write(engine, prompts, GREEDY)
    pairs: list[DraftedPair] = []
    for (passage, question), text in zip(asked, answers, strict=True):
        answer = _line(text).rstrip(".")
        if reason := _wrong_answer(answer, question, passage):
            drafts.dropped[reason] += 1
        else:
            pairs.append(DraftedPair(question, answer, passage))
    for pair, again in zip(pairs, _ask(engine, pairs, retriever), strict=True):
        if normalize(again) != normalize(pair.answer):
            drafts.dropped["asked again, the answer is another one"] += 1
        else:
            drafts.pairs.append(pair)


def _drafting(prompt: Prompt) -> GenerationRequest:
    """Without virtual tokens, and one line long: the prompt has worked examples."""
    return GenerationRequest(prompt, 0, "examples")


def _ask(engine: Engine, pairs: Sequence[DraftedPair], retriever: Retriever) -> list[str]:
    """The answers to the questions of pairs, asked as any other."""
    k = len(engine.tokens) if engine.tokens.learned else 0
    settings = ComparisonSettings((k,) if k else (), PASSAGES, () if k else ("examples",), GREEDY)
    found = [retriever.search(pair.question, PASSAGES) for pair in pairs]
    laid_out = [lay_out(engine, pair.question, hits, settings) for pair, hits in zip(pairs, found, strict=True)]
    return _write(engine, [comparison.requests[0] for comparison in laid_out], GREEDY)


def _write(engine: Engine, requests: Sequence[GenerationRequest], options: DecodingOptions) -> list[str]:
    """What follows each prompt; nothing where it is too long for the model."""
    answers = [""] * len(requests)
    try:
        for progress in engine.stream(requests, options) if requests else ():
            answers = [answer.text for answer in progress.answers]
    except PromptError:
        if len(requests) > 1:
            return [text for request in requests for text in _write(engine, [request], options)]
    return answers


def _line(text: str) -> str:
    return one_line(clean_text(text)).strip("\"' ")


def _wrong_question(question: str, passage: Passage, retriever: Retriever, seen: set[str]) -> str:
    """Why a question is dropped; "" if it is not."""
    low, high = QUESTION_WORDS
    if not question.endswith("?") or not low <= len(question.split()) <= high:
        return "no question"
    if normalize(question) in seen:
        return "a question that was there before"
    hits = retriever.search(question, 1)
    return "" if hits and hits[0].passage == passage else "another passage is found first"


def _wrong_answer(answer: str, question: str, passage: Passage) -> str:
    """Why an answer is dropped; "" if it is not."""
    if not normalize(answer) or len(answer.split()) > MOST_ANSWER_WORDS:
        return "no short answer"
    if contained(question, answer):
        return "the question holds its answer"
    return "" if contained(passage.text, answer) else "the answer does not stand in the passage"
