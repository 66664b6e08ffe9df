"""Questions asked for several k and baselines, on tiny random models."""

from dataclasses import replace

import pytest

from spring.data.questions import Question
from spring.errors import PromptError
from spring.evaluation.runner import default_batch_size, evaluate, remaining
from spring.evaluation.summary import summarize
from spring.generation.engine import ROW_POSITIONS, LocalEngine
from spring.models.memory import size_of
from spring.rag.bm25 import Bm25Retriever
from tests.conftest import FERRY, KITES, MAST, PASSAGES, QUESTION, new_engine, one_line, with_eos
from tests.support.evaluation import QUESTIONS, RETRIEVER, SETTINGS, row, rows_of


def test_every_question_is_answered_for_every_k(tiny_engine: LocalEngine) -> None:
    rows = rows_of(tiny_engine)
    assert [(row.id, row.virtual_tokens) for row in rows] == [(q.id, k) for q in QUESTIONS for k in (0, 1, 50)]
    assert all(row.golden_answers == q.golden_answers for row, q in zip(rows[::3], QUESTIONS, strict=True))
    assert any(row.answer for row in rows)


@pytest.mark.parametrize("size", [2, 5, 100])
def test_batched_and_single_answers_agree(tiny_engine: LocalEngine, size: int) -> None:
    single = [row.answer for row in rows_of(tiny_engine, batch_size=1)]
    tiny_engine.prefixes.clear()
    assert [row.answer for row in rows_of(tiny_engine, batch_size=size)] == single
    assert len(set(single)) > 3


def test_a_batch_that_gets_smaller_as_answers_end_gives_the_same_answers(llama_engine: LocalEngine) -> None:
    texts: set[str] = set()
    for eos_id in range(3, 120, 15):  # answers that end early at different places
        engine = new_engine(with_eos(llama_engine.backbone, eos_id))
        single = [row.answer for row in rows_of(engine, batch_size=1)]
        assert [row.answer for row in rows_of(engine, batch_size=5)] == single
        texts |= {len(text) for text in single}
    assert len(texts) > 5


def test_passages_that_come_with_a_question_are_used_and_nothing_is_retrieved(llama_engine: LocalEngine) -> None:
    given = Question("x", QUESTION, ("nine",), (PASSAGES[1],))
    retrieved = replace(given, passages=())
    alone = Bm25Retriever([PASSAGES[1]])
    (done,) = [d for d in evaluate(llama_engine, [given], None, SETTINGS) if d.rows]
    (same,) = [d for d in evaluate(llama_engine, [retrieved], alone, SETTINGS) if d.rows]
    (other,) = [d for d in evaluate(llama_engine, [retrieved], RETRIEVER, SETTINGS) if d.rows]
    assert [row.answer for row in done.rows] != [row.answer for row in other.rows]
    if alone.search(QUESTION, 1):
        assert [row.answer for row in done.rows] == [row.answer for row in same.rows]


def test_a_question_without_passages_and_without_a_retriever_is_refused(llama_engine: LocalEngine) -> None:
    with pytest.raises(PromptError, match="Question a comes without passages") as error:
        next(evaluate(llama_engine, QUESTIONS, None, SETTINGS))
    one_line(error)


@pytest.mark.parametrize("change", [{"virtual_tokens": (51,)}, {"virtual_tokens": ()}, {"baselines": ("told",)}])
def test_settings_are_refused_before_anything_is_answered(llama_engine: LocalEngine, change: dict[str, object]) -> None:
    with pytest.raises(PromptError) as error:
        next(evaluate(llama_engine, QUESTIONS, RETRIEVER, replace(SETTINGS, **change)))
    one_line(error)


def test_a_question_that_cannot_be_asked_is_named_and_the_others_go_on(llama_engine: LocalEngine) -> None:
    long = Question("long", "why " * 600, ("x",))
    done = list(evaluate(llama_engine, [QUESTIONS[0], long, QUESTIONS[1]], RETRIEVER, SETTINGS, 3))
    assert {row.id for d in done for row in d.rows} == {"a", "b"}
    (failure,) = [line for d in done for line in d.failed]
    assert failure.startswith("long: The question is too long")


def test_a_batch_of_nothing_but_such_questions_is_no_end(llama_engine: LocalEngine) -> None:
    long = Question("long", "why " * 600, ("x",))
    done = list(evaluate(llama_engine, [long, QUESTIONS[0]], RETRIEVER, SETTINGS, 1))
    assert [len(d.rows) for d in done if d.rows or d.failed] == [0, 3]


def test_it_can_be_stopped_after_every_step(llama_engine: LocalEngine) -> None:
    steps = evaluate(llama_engine, QUESTIONS, RETRIEVER, SETTINGS, 5)
    assert next(steps) == ((), ())
    steps.close()
    assert rows_of(llama_engine)  # the engine answers the next


def test_each_baseline_is_a_row_more(llama_engine: LocalEngine) -> None:
    words = replace(SETTINGS, virtual_tokens=(0,), baselines=("examples", "instruction"))
    rows = [row for done in evaluate(llama_engine, QUESTIONS[:2], RETRIEVER, words) for row in done.rows]
    assert [(row.virtual_tokens, row.baseline) for row in rows] == [
        (0, "plain"),
        (0, "examples"),
        (0, "instruction"),
    ] * 2
    assert [summary.baseline for summary in summarize(rows)] == ["plain", "instruction", "examples"]


def test_the_default_batch_holds_all_k_of_its_questions(llama_engine: LocalEngine) -> None:
    assert default_batch_size(llama_engine, SETTINGS) == 21
    assert default_batch_size(llama_engine, replace(SETTINGS, virtual_tokens=tuple(range(51)))) == 1


def test_a_batch_takes_at_most_half_of_the_free_memory(
    llama_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = llama_engine.backbone.model
    row = size_of(model).cached * 4 * ROW_POSITIONS
    monkeypatch.setattr("spring.generation.engine.free_bytes", lambda gpu: 21 * row)
    assert llama_engine.rows_at_once == 10
    monkeypatch.setattr("spring.generation.engine.free_bytes", lambda gpu: 0)
    assert llama_engine.rows_at_once == 1


def test_questions_that_lack_the_same_k_are_asked_together() -> None:
    first, second = ({"question": q.question, "golden_answers": q.golden_answers} for q in QUESTIONS[:2])
    there = [row(k, id="a", **first) for k in (0, 1, 50)] + [row(0, id="b", **second)]
    groups = remaining(QUESTIONS, replace(SETTINGS, baselines=("instruction",)), there)
    assert [(s.virtual_tokens, s.baselines, [q.id for q in qs]) for s, qs in groups] == [
        ((), ("instruction",), ["a"]),
        ((1, 50), ("instruction",), ["b"]),
        ((0, 1, 50), ("instruction",), ["c", "d", "e"]),
    ]


def test_rows_of_other_questions_with_the_same_ids_are_refused() -> None:
    with pytest.raises(PromptError, match="another question with the id a") as error:
        remaining(QUESTIONS, SETTINGS, [row(id="a")])
    one_line(error)
    with pytest.raises(PromptError, match="with the id a, or other golden answers"):
        remaining(QUESTIONS, SETTINGS, [row(id="a", question=QUESTION)])


def test_the_passages_of_the_tests_are_found() -> None:
    assert [RETRIEVER.search(q.question, 1)[0].passage.text for q in QUESTIONS[:3]] == [FERRY, MAST, KITES]
