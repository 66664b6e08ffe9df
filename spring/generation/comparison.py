"""Question -> retrieved passages -> prompt -> answers: what the page and the command line both call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spring.data.cleaning import without_surrogates
from spring.errors import PromptError
from spring.generation.interface import Engine
from spring.generation.types import Answer, DecodingOptions, GenerationRequest, Progress, PromptDraft, check_ks
from spring.rag.prompt import BASELINES, Baseline, Prompt, build_prompt
from spring.rag.retriever import Hit, Retriever

MOST_PASSAGES = 20
NOTHING_FOUND = "None of the words occur in your documents: what follows comes from the model alone."
ALL_LEFT_OUT = "Every passage is left out: what follows comes from the model alone."


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """What is asked for besides the question; the defaults are the paper's.

    Raises:
        PromptError: a setting is out of range.

    """

    virtual_tokens: tuple[int, ...] = (0, 50)  # one answer for each k, in this order
    passages: int = 3
    baselines: tuple[Baseline, ...] = ()  # one more answer for each, after those; "plain" is k = 0 and comes first
    decoding: DecodingOptions = field(default_factory=DecodingOptions)

    def __post_init__(self) -> None:
        if not 1 <= self.passages <= MOST_PASSAGES:
            raise PromptError(f"The number of passages must be 1 to {MOST_PASSAGES}, not {self.passages}.")
        for baseline in self.baselines:
            if baseline not in BASELINES:
                raise PromptError(f"There is no baseline {baseline!r}: choose one of {', '.join(BASELINES)}.")
        if "plain" in self.baselines and 0 not in self.virtual_tokens:
            object.__setattr__(self, "virtual_tokens", (0, *self.virtual_tokens))
        words = tuple(baseline for baseline in dict.fromkeys(self.baselines) if baseline != "plain")
        object.__setattr__(self, "baselines", words)

    @property
    def answers(self) -> int:
        """How many answers one question gets."""
        return len(self.virtual_tokens) + len(self.baselines)

    def check(self, n: int) -> None:
        """Check the answers that are asked for against n virtual tokens.

        Raises:
            PromptError: none is asked for, or a k is out of range.

        """
        check_ks((*self.virtual_tokens, *(0 for _ in self.baselines)), n)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A snapshot: the passages that the model sees, the requests, and the answers so far."""

    question: str
    hits: tuple[Hit, ...]  # best first
    dropped: tuple[Hit, ...]  # found, but left out because the prompt would be too long
    prompt: Prompt  # of all answers without words
    requests: tuple[GenerationRequest, ...]  # one for each answer
    progress: Progress

    @property
    def answers(self) -> tuple[Answer, ...]:
        """One for each k, then one for each baseline in words."""
        return self.progress.answers

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the passages, a sentence each."""
        notes = []
        if not self.hits and not self.dropped:
            notes.append(NOTHING_FOUND)
        for hit in self.dropped:
            place = f"{hit.passage.document}, page {hit.passage.page}"
            notes.append(f"Passage {hit.rank} ({place}) was left out: the prompt would be too long for the model.")
        return tuple(notes)


def compare(
    engine: Engine,
    retriever: Retriever | None,
    question: str,
    settings: ComparisonSettings = ComparisonSettings(),
    hits: Sequence[Hit] | None = None,
) -> Iterator[Comparison]:
    """Answer one question in several ways; the first snapshot has the passages, the following ones the answers.

    Args:
        engine: generates.
        retriever: finds the passages; not needed where `hits` are given.
        question: what to ask.
        settings: which answers, how many passages, how to decode.
        hits: the passages to use instead, best first: some left out, or with an edited text.

    Raises:
        PromptError: no question, a setting out of range, or a question too long for the model.

    """
    question = without_surrogates(question).strip()
    if hits is None:
        hits = retriever.search(question, settings.passages) if retriever else ()
    else:
        hits = [_clean(hit) for hit in hits[:MOST_PASSAGES]]
    comparison = lay_out(engine, question, hits, settings)
    stream = engine.stream(comparison.requests, settings.decoding)
    yield comparison
    for progress in stream:
        yield replace(comparison, progress=progress)


def _clean(hit: Hit) -> Hit:
    """A hit whose text, which a user may have edited, can be encoded."""
    return replace(hit, passage=replace(hit.passage, text=without_surrogates(hit.passage.text)))


def lay_out(engine: Engine, question: str, hits: Sequence[Hit], settings: ComparisonSettings) -> Comparison:
    """The requests for a question and its passages, with no answer begun.

    Raises:
        PromptError: no question, a setting out of range, or a question too long for the model.

    """
    question, hits = without_surrogates(question).strip(), tuple(hits)
    settings.check(len(engine.tokens))
    passages = tuple(hit.passage for hit in hits)
    prompt = build_prompt(passages, question)  # refuses an empty question
    draft = PromptDraft(
        question, passages, settings.virtual_tokens, settings.baselines, settings.decoding.max_new_tokens
    )
    kept = engine.fit(draft)
    if kept < len(hits):
        prompt = build_prompt(passages[:kept], question)
    requests = draft.requests(kept)
    answers = tuple(Answer(request.virtual_tokens, request.baseline) for request in requests)
    return Comparison(question, hits[:kept], hits[kept:], prompt, requests, Progress(answers))


def as_dict(comparison: Comparison, engine: Engine) -> dict[str, Any]:
    """A comparison as JSON: the command line's `--json` and the page's `/compare`."""
    return {
        "question": comparison.question,
        "backbone": engine.backbone.name,
        "precision": engine.backbone.precision,
        "precision_reason": engine.backbone.precision_reason,
        "learned": engine.tokens.learned,
        "passages": [passage_as_dict(hit) for hit in comparison.hits],
        "notes": list(comparison.notes),
        "prompt": {"before": comparison.prompt.before, "after": comparison.prompt.after},
        "answers": [
            {
                "virtual_tokens": answer.virtual_tokens,
                "baseline": answer.baseline,
                "instruction": answer.instruction,
                "text": answer.text,
                "new_tokens": answer.new_tokens,
                "ended_by": answer.ended_by,
                "seconds": round(answer.seconds, 3),
            }
            for answer in comparison.answers
        ],
    }


def passage_as_dict(hit: Hit) -> dict[str, Any]:
    """One of the passages in `as_dict`."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        "document": hit.passage.document,
        "page": hit.passage.page,
        "section": hit.passage.section,
        "text": hit.passage.titled,
    }
