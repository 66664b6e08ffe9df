"""What is drawn for a sample of training."""

import json
from collections import Counter
from pathlib import Path

import pytest

from spring.data.collection import read_collection
from spring.data.questions import Question
from spring.data.types import Passage
from spring.errors import PromptError
from spring.models.backbone import Backbone
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import build_prompt
from spring.training.examples import Examples, SampleSettings, gold_passages
from tests.conftest import FERRY, KITES, MAST, PASSAGES, QUESTION, one_line

LAMP = Passage("lamp.txt", 1, 0, "Nobody but Agnes ever lit it.")
QUESTIONS = [
    Question("a", "When does the ferry leave the mast or the festival?", ("nine", "at nine")),
    Question("b", "Who lit the ferry, the mast or the festival?", ("Nobody",), gold_passage="row-9"),
    Question("c", "What does every child get?", ("a bun",), (PASSAGES[2], PASSAGES[0])),
]
RETRIEVER = Bm25Retriever(PASSAGES)
GOLD = {"row-9": [PASSAGES[1], LAMP]}


def draws(backbone: Backbone, **draw: object) -> Examples:
    return Examples(backbone, QUESTIONS, RETRIEVER, GOLD, SampleSettings(**draw))


def test_every_epoch_has_every_question_once_in_an_order_of_its_own(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama)
    epochs = [[examples.question(epoch * 3 + i).id for i in range(3)] for epoch in range(20)]
    assert all(sorted(epoch) == ["a", "b", "c"] for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 6


def test_a_sample_is_the_same_whenever_it_is_drawn(tiny_llama: Backbone) -> None:
    first, second = draws(tiny_llama), draws(tiny_llama)
    assert [first[i] for i in range(30)] == [second[i] for i in reversed(range(30))][::-1]
    assert [first[i] for i in range(30)] != [draws(tiny_llama, seed=1)[i] for i in range(30)]


def test_k_is_drawn_from_all_of_1_to_n(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, number=4)
    counts = Counter(target.virtual_tokens for i in range(400) for target in examples[i].targets)
    assert set(counts) == {1, 2, 3, 4}
    assert all(60 < count < 140 for count in counts.values())


def test_a_fixed_k_is_always_n(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, number=7, fixed_k=True)
    assert {target.virtual_tokens for i in range(20) for target in examples[i].targets} == {7}


def test_several_k_share_the_passages_of_a_sample(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, shared_k=3)
    for i in range(30):
        ks = [target.virtual_tokens for target in examples[i].targets]
        assert len(ks) == 3
        assert ks[1] == 50
        assert all(1 <= k <= 50 for k in ks)


def test_the_number_of_passages_is_drawn_and_they_are_the_best(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, passages=(1, 2))
    best = [hit.passage for hit in RETRIEVER.search(QUESTIONS[0].question, 2)]
    found = [examples.passages(i) for i in range(60) if examples.question(i).id == "a"]
    assert Counter(map(len, found)).keys() == {1, 2}
    assert all(passages == best[: len(passages)] for passages in found)


def test_the_gold_piece_is_put_in_when_it_was_not_found(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, passages=(1, 3))
    found = [examples.passages(i) for i in range(90) if examples.question(i).id == "b"]
    assert all(LAMP in passages for passages in found)  # the piece that holds the answer, at any place
    assert {passages.index(LAMP) for passages in found} == {0, 1, 2}
    assert {len(passages) for passages in found} == {1, 2, 3}


def test_given_passages_are_used(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, passages=(2, 2))
    numbers = [i for i in range(9) if examples.question(i).id == "c"]
    assert all(examples.passages(i) == [PASSAGES[2], PASSAGES[0]] for i in numbers)
    alone = Examples(tiny_llama, QUESTIONS[2:], None, {}, SampleSettings())
    assert alone.passages(0)[0] == PASSAGES[2]


def test_the_ids_are_those_of_the_prompt_and_one_of_the_answers(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama)
    answers = set()
    for i in range(40):
        question, example = examples.question(i), examples[i]
        before, after = tiny_llama.tokenization.encode(build_prompt(examples.passages(i), question.question))
        (target,) = example.targets
        assert (example.before, target.question) == (tuple(before), tuple(after))
        answer = tiny_llama.tokenization.decode(target.answer)
        assert answer in question.golden_answers
        answers.add(answer)
    assert answers == {"nine", "at nine", "Nobody", "a bun"}


def test_dev_examples_have_all_answers_for_all_k(tiny_llama: Backbone) -> None:
    example = draws(tiny_llama).dev_example(QUESTIONS[0], 2, (1, 50))
    assert [target.virtual_tokens for target in example.targets] == [1, 50, 1, 50]
    assert tiny_llama.tokenization.decode(example.targets[2].answer) == "at nine"


def test_dev_questions_are_searched_for_themselves(tiny_llama: Backbone) -> None:
    examples = draws(tiny_llama, passages=(1, 1))
    other = Question("a", "Who lit the mast, the ferry or the festival?", ("Nobody",) * 20)  # an id of training's
    example = examples.dev_example(other, 3, (1,))
    best = [hit.passage for hit in RETRIEVER.search(other.question, 3)]
    assert len(best) == 3  # though training takes one
    assert example.before == tuple(tiny_llama.tokenization.encode(build_prompt(best, other.question))[0])
    assert len(example.targets) == 16
    found = next(examples.passages(i) for i in range(3) if examples.question(i).id == "a")
    assert found == [RETRIEVER.search(QUESTIONS[0].question, 1)[0].passage]


def test_what_does_not_fit_is_left_out_from_the_end(tiny_llama: Backbone) -> None:
    long = [Passage(f"{i}.txt", 1, 0, f"{FERRY} " * 8) for i in range(3)]
    question = Question("x", QUESTION, ("nine",), tuple(long))
    example = Examples(tiny_llama, [question], None, {}, SampleSettings(passages=(3, 3)))[0]
    assert tuple(tiny_llama.tokenization.encode(build_prompt(long[:1], QUESTION))[0]) == example.before


@pytest.mark.parametrize(
    "draw", [{"passages": (0, 3)}, {"passages": (4, 3)}, {"number": 0}, {"number": 1025}, {"shared_k": 0}]
)
def test_a_draw_cannot_be_wrong(draw: dict[str, object]) -> None:
    with pytest.raises(PromptError) as error:
        SampleSettings(**draw)  # type: ignore[arg-type]
    one_line(error)


def test_without_questions_or_passages_nothing_is_learned(tiny_llama: Backbone) -> None:
    with pytest.raises(PromptError, match="no question"):
        Examples(tiny_llama, [], RETRIEVER, {}, SampleSettings())
    with pytest.raises(PromptError, match="Question a comes without passages"):
        Examples(tiny_llama, QUESTIONS, None, {}, SampleSettings())
    with pytest.raises(PromptError, match="Question a comes without passages"):  # a dev question
        Examples(tiny_llama, QUESTIONS[2:], None, {}, SampleSettings()).dev_example(QUESTIONS[0], 3, (1,))


def test_gold_passages_are_found_by_the_row_s_id(tmp_path: Path) -> None:
    rows = [{"id": f"r{i}", "contents": f"T{i}\n{text}"} for i, text in enumerate((FERRY, MAST, KITES * 20))]
    (tmp_path / "c.jsonl").write_text("\n".join(["{", *map(json.dumps, rows)]))
    gold = gold_passages(read_collection([tmp_path / "c.jsonl"]))
    assert list(gold) == ["r0", "r1", "r2"]
    assert MAST in gold["r1"][0].text
    assert len(gold["r2"]) > 1


def test_samples_are_those_that_were_always_drawn(tiny_llama: Backbone) -> None:
    """The command in a token file's metadata must draw the same samples in later versions."""
    examples = draws(tiny_llama, shared_k=3, passages=(1, 3), seed=7)
    drawn = [
        (
            examples.question(i).id,
            len(examples.passages(i)),
            [(t.virtual_tokens, tiny_llama.tokenization.decode(t.answer)) for t in examples[i].targets],
        )
        for i in (0, 1, 2, 3, 100)
    ]
    assert drawn == [
        ("c", 2, [(34, "a bun"), (50, "a bun"), (2, "a bun")]),
        ("b", 2, [(1, "Nobody"), (50, "Nobody"), (5, "Nobody")]),
        ("a", 3, [(33, "at nine"), (50, "nine"), (7, "at nine")]),
        ("c", 2, [(16, "a bun"), (50, "a bun"), (7, "a bun")]),
        ("b", 1, [(8, "Nobody"), (50, "Nobody"), (2, "Nobody")]),
    ]
