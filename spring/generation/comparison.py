"""Question -> retrieved passages -> prompt -> answers: what the page and the command line both call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spring.data.cleaning import without_surrogates
from spring.errors import PromptError
from spring.generation.types import Answer, DecodingOptions, Engine, GenerationRequest, Progress, check_ks
from spring.rag.prompt import Prompt, build_prompt
from spring.rag.retriever import Hit, Retriever

MOST_PASSAGES = 20
MOST_CHARACTERS_PER_TOKEN = 16  # longer text surely does not fit, so it is not tokenized


@dataclass(frozen=True, slots=True)
class ComparisonSettings:
    """What is asked for besides the question; the defaults are the paper's."""

    virtual_tokens: tuple[int, ...] = (0, 50)  # one answer for each k, in this order
    passages: int = 3
    instruction: bool = False  # one more answer, the last: told in words, with k = 0
    max_new_tokens: int = 50
    temperature: float = 0.0  # 0: greedy
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.passages <= MOST_PASSAGES:
            raise PromptError(f"The number of passages must be 1 to {MOST_PASSAGES}, not {self.passages}.")
        _ = self.generation  # refuses what is out of range

    @property
    def generation(self) -> DecodingOptions:
        """How the answers are generated."""
        return DecodingOptions(self.max_new_tokens, self.temperature, self.seed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A snapshot: the passages that the model sees, the prompt, and the answers so far."""

    question: str
    hits: tuple[Hit, ...]  # best first
    dropped: tuple[Hit, ...]  # found, but left out because the prompt would be too long
    prompt: Prompt  # of all answers but the one told in words
    told_prompt: Prompt  # of that one
    progress: Progress

    @property
    def answers(self) -> tuple[Answer, ...]:
        """One for each k, then the one told in words if it was asked for."""
        return self.progress.answers

    @property
    def requests(self) -> list[GenerationRequest]:
        """What the engine is asked for: one request for each answer."""
        return [
            GenerationRequest(
                self.told_prompt if answer.instruction else self.prompt, answer.virtual_tokens, answer.instruction
            )
            for answer in self.answers
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the asker should know of the passages, a sentence each."""
        notes = []
        if not self.hits and not self.dropped:
            notes.append(
                "No passage shares a word with the question, so the model sees no passage and answers from memory."
            )
        for hit in self.dropped:
            place = f"{hit.passage.document}, page {hit.passage.page}"
            notes.append(f"Passage {hit.rank} ({place}) was left out: the prompt would be too long for the model.")
        return tuple(notes)


def compare(
    engine: Engine, retriever: Retriever, question: str, settings: ComparisonSettings = ComparisonSettings()
) -> Iterator[Comparison]:
    """Answer one question for several k; the first snapshot has the passages, the following ones the answers.

    Raises:
        PromptError: no question, a setting out of range, or a question too long for the model.

    """
    question = without_surrogates(question).strip()
    comparison = lay_out(engine, question, retriever.search(question, settings.passages), settings)
    stream = engine.stream(comparison.requests, settings.generation)
    yield comparison
    for progress in stream:
        yield replace(comparison, progress=progress)


def lay_out(engine: Engine, question: str, hits: Sequence[Hit], settings: ComparisonSettings) -> Comparison:
    """The prompt of a question and its passages, and the answers that are asked for, none of them begun.

    Raises:
        PromptError: no question, a setting out of range, or a question too long for the model.

    """
    question, hits = without_surrogates(question).strip(), tuple(hits)
    check_ks(settings.virtual_tokens + (0,) * settings.instruction, len(engine.tokens))
    kept = _fitting(engine, question, hits, settings)
    passages = [hit.passage for hit in hits[:kept]]
    prompt = build_prompt(passages, question)
    told = build_prompt(passages, question, instruction=True)
    answers = [Answer(k, False) for k in settings.virtual_tokens] + [Answer(0, True)] * settings.instruction
    return Comparison(question, hits[:kept], hits[kept:], prompt, told, Progress(tuple(answers)))


def _fitting(engine: Engine, question: str, hits: Sequence[Hit], settings: ComparisonSettings) -> int:
    """How many of the passages fit: whole ones are dropped, the lowest rank first."""
    most = max(settings.virtual_tokens, default=0)
    room = engine.backbone.context_length - settings.max_new_tokens
    for kept in range(len(hits), -1, -1):
        passages = [hit.passage for hit in hits[:kept]]
        if sum(len(passage.titled) for passage in passages) > MOST_CHARACTERS_PER_TOKEN * room:
            continue
        plain = engine.length(GenerationRequest(build_prompt(passages, question), most))
        told = engine.length(GenerationRequest(build_prompt(passages, question, instruction=True)))
        if max(plain, told if settings.instruction else 0) <= room:
            return kept
    raise PromptError(
        f"The question is too long: {engine.backbone.name} takes {engine.backbone.context_length} tokens "
        "in all; please shorten it."
    )


def as_dict(comparison: Comparison, engine: Engine) -> dict[str, Any]:
    """A comparison as JSON takes it: the command line's `--json` and the page's `/compare`."""
    return {
        "question": comparison.question,
        "backbone": engine.backbone.name,
        "precision": engine.backbone.precision,
        "learned": engine.tokens.learned,
        "passages": [
            {
                "rank": hit.rank,
                "score": hit.score,
                "document": hit.passage.document,
                "page": hit.passage.page,
                "section": hit.passage.section,
                "text": hit.passage.titled,
            }
            for hit in comparison.hits
        ],
        "notes": list(comparison.notes),
        "prompt": {"before": comparison.prompt.before, "after": comparison.prompt.after},
        "answers": [
            {
                "virtual_tokens": answer.virtual_tokens,
                "instruction": answer.instruction,
                "text": answer.text,
                "new_tokens": answer.new_tokens,
                "seconds": round(answer.seconds, 3),
            }
            for answer in comparison.answers
        ],
    }
