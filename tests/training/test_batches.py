"""The batches of a run: in the order they always had, for all processes together, in time and ahead of time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from spring.errors import PromptError
from spring.models.backbone import Backbone
from spring.rag.prompt import build_prompt
from spring.training.batches import Batches
from spring.training.encoding import SampleEncoder
from spring.training.examples import Examples, SampleSettings
from spring.training.loss import Example
from spring.training.settings import TrainingSettings
from spring.training.trainer import learn
from tests.conftest import PASSAGES
from tests.training.test_examples import GOLD, QUESTIONS, RETRIEVER

SETTINGS = TrainingSettings(epochs=6, batch_size=4, gradient_accumulation=2)
STEPS = (1, 4)


def examples(backbone: Backbone, **draw: object) -> Examples:
    settings = SampleSettings(**({"passages": (1, 3), "shared_k": 3} | draw))
    return Examples(backbone, QUESTIONS, RETRIEVER, GOLD, settings)


def test_within_a_step_samples_of_similar_length_follow_each_other(tiny_llama: Backbone) -> None:
    drawn = examples(tiny_llama)
    found = [example for batch in Batches(drawn, SETTINGS, STEPS) for example in batch]
    numbers = [sorted(range(first, first + 8), key=lambda i: (drawn.length(i), i)) for first in (8, 16, 24)]
    assert found == [drawn[number] for step in numbers for number in step]


def test_processes_share_each_batch(tiny_llama: Backbone) -> None:
    drawn = examples(tiny_llama)
    shares = [list(Batches(drawn, SETTINGS, STEPS, (process, 2))) for process in (0, 1)]
    assert [first + second for first, second in zip(*shares, strict=True)] == list(Batches(drawn, SETTINGS, STEPS))


def test_samples_drawn_ahead_are_the_same_and_drawn_by_another_thread(
    tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, threads = examples(tiny_llama), set[str]()
    wanted = list(Batches(drawn, SETTINGS, STEPS))
    original = Examples.__getitem__

    def noted(self: Examples, number: int) -> Example:
        threads.add(threading.current_thread().name)
        return original(self, number)

    monkeypatch.setattr(Examples, "__getitem__", noted)
    batches = Batches(examples(tiny_llama), SETTINGS, STEPS, ahead=True)
    assert list(batches) == wanted
    assert threads == {"samples_0"}
    assert batches.waited > 0


def test_a_failure_ahead_comes_when_its_batch_is_due_and_no_thread_stays(
    tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = examples(tiny_llama)
    wanted, original = list(Batches(drawn, SETTINGS, STEPS)), Batches._numbers

    def too_long(self: Batches) -> Iterator[list[int]]:
        for place, numbers in enumerate(original(self)):
            if place == 3:
                raise PromptError("The question is too long.")
            yield numbers

    monkeypatch.setattr(Batches, "_numbers", too_long)
    got = list[list[Example]]()
    with pytest.raises(PromptError, match="too long"):
        got.extend(Batches(drawn, SETTINGS, STEPS, ahead=True))
    assert got == wanted[:3]
    read = iter(Batches(drawn, SETTINGS, STEPS, ahead=True))
    assert next(read) == wanted[0]
    read.close()  # as when the run is interrupted
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("samples")]


def test_tokens_learned_from_samples_drawn_ahead_are_the_same(
    tiny_llama: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    initial, tokens = tiny_llama.initial_virtual_tokens(), []
    original = Batches.__init__
    for ahead in (False, True):

        def made(self: Batches, *given: object, ahead: bool, as_on_a_card: bool = ahead) -> None:
            original(self, *given, ahead=as_on_a_card)  # type: ignore[arg-type]

        monkeypatch.setattr(Batches, "__init__", made)
        tokens.append(learn([tiny_llama], examples(tiny_llama), initial, SETTINGS, tmp_path / str(ahead)).tokens)
    assert torch.equal(*tokens)


@pytest.mark.parametrize("most_kept", [0, 400, 10**6])
def test_what_is_encoded_once_is_what_is_encoded_each_time(tiny: Backbone, most_kept: int) -> None:
    encoder = SampleEncoder(tiny, 50, most_kept)
    for _ in range(2):
        for question in QUESTIONS:
            for number in range(4):
                for answer in (*question.golden_answers, "nine"):
                    found = encoder.encode(PASSAGES[:number], question.question, answer)
                    prompt = build_prompt(PASSAGES[:number], question.question)
                    assert found == tuple(map(tuple, tiny.encode_answer(prompt, answer)))
    assert encoder.kept == sum(prompt.kept for prompt in encoder._prompts.values())
    assert encoder.kept <= most_kept or len(encoder._prompts) == 1


def test_every_prompt_and_answer_is_encoded_once(tiny_llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()
    tokenizer = type(tiny_llama.tokenizer)
    original = tokenizer.__call__

    def counted(self: object, text: str, **options: object) -> object:
        calls.append(text)
        return original(self, text, **options)

    monkeypatch.setattr(tokenizer, "__call__", counted)
    drawn = examples(tiny_llama, draws=1)
    first = [drawn[number] for number in range(30)]
    assert len(calls) == len(set(calls)) <= 3 + 4  # three prompts, and each with its golden answers
    assert [drawn[number] for number in range(30)] == first
    assert len(calls) <= 3 + 4
