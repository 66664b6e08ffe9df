"""What the answers of a run depend on besides k and baseline, as names and values that two runs can be compared by."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from spring.data.questions import Question
from spring.generation.comparison import ComparisonSettings
from spring.generation.interface import Engine
from spring.rag.prompt import INSTRUCTION, worked_examples
from spring.rag.retriever import Retriever
from spring.rag.terms import RULES

Identity = Mapping[str, str]


class IdentifiedEngine(Engine, Protocol):
    """An engine that can tell what its answers depend on."""

    @property
    def identity(self) -> Identity:
        """Of the backbone, its tokenizer and its tokens, as names and values; what is long is a SHA-256."""


_QUESTIONS = "questions of "
_SHOWN = 60  # characters of a value in a sentence
_HASH = 64  # characters of a SHA-256


def run_identity(
    engine: IdentifiedEngine,
    settings: ComparisonSettings,
    retriever: Retriever | None,
    sets: Mapping[str, Sequence[Question]],
) -> dict[str, str]:
    """Names and values of all that an answer depends on; what is long is a SHA-256.

    Args:
        engine: the backbone and its tokens. Its weights and its tokenizer count, not where they came from: another
            revision or folder with the same ones gives the same answers.
        settings: passages and decoding; rows of other k and baselines may be added to a run.
        retriever: its kind and its documents; None: the questions bring their passages.
        sets: all questions of each file, by the name of the set.

    """
    decoding, identity = settings.decoding, dict(engine.identity)
    words = [INSTRUCTION, worked_examples(), identity.pop("chat template")]
    return {
        **identity,
        "words of the baselines": _digest(words),
        "number of passages": str(settings.passages),
        "new tokens": str(decoding.max_new_tokens),
        "temperature": str(decoding.temperature),
        "seed": str(decoding.seed),
        "retriever": "none" if retriever is None else type(retriever).__name__,
        "term rules": "none" if retriever is None else str(RULES),
        "documents": "none" if retriever is None else retriever.fingerprint(),
        **{f"{_QUESTIONS}{name}": _digest(_texts(questions)) for name, questions in sets.items()},
    }


def run_name(identity: Identity) -> str:
    """A short digest of all but the questions: sets may be added to a run."""
    kept = {name: value for name, value in identity.items() if not name.startswith(_QUESTIONS)}
    return _digest([json.dumps(kept, sort_keys=True)])[:12]


def difference(there: Identity, here: Identity) -> str:
    """What two runs differ in, as the end of a sentence; empty if in nothing that both have."""
    names = [name for name in here if name in there and there[name] != here[name]]
    if "precision" in names:  # the weights are packed by it
        names = [name for name in names if name != "weights"]
    return ", ".join(f"{_shown(name)} ({_value(there[name])} there, {_value(here[name])} now)" for name in names)


def _shown(name: str) -> str:
    return {"weights": "weights of the backbone, as of another revision or folder"}.get(name, name)


def _value(value: str) -> str:
    return f"{value[:8]}…" if len(value) == _HASH else value[:_SHOWN]


def _texts(questions: Iterable[Question]) -> Iterable[str]:
    for question in questions:
        passages = [passage.titled for passage in question.passages]
        yield json.dumps([question.id, question.question, question.golden_answers, passages])


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
