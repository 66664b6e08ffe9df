"""A question file from its rows to the table, on tiny random models."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spring.data.questions import Question
from spring.errors import DocumentError, PromptError
from spring.evaluation.results import COLUMNS, RowsFile, as_frame, run_name, safe_csv
from spring.evaluation.runner import Row, default_batch_size, evaluate, remaining
from spring.evaluation.summary import Interval, bootstrap, summarize
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import ROW_POSITIONS, LocalEngine
from spring.generation.types import DecodingOptions
from spring.models.memory import size_of
from spring.rag.bm25 import Bm25Retriever
from tests.conftest import FERRY, KITES, MAST, PASSAGES, QUESTION, new_engine, one_line, with_eos

RETRIEVER = Bm25Retriever(PASSAGES)
SETTINGS = ComparisonSettings(virtual_tokens=(0, 1, 50), passages=2, decoding=DecodingOptions(6))
QUESTIONS = [
    Question("a", QUESTION, ("nine",)),
    Question("b", "How high is the radio mast?", ("ninety metres", "90 metres")),
    Question("c", "What does every child get at the kite festival of Port Ninnow?", ("a bun",)),
    Question("d", "What is lit at dusk?", ("its lamp",), (PASSAGES[2], PASSAGES[1])),
    Question("e", "And xyzzy?", ("nothing",)),  # no passage shares a word with it
]


def rows_of(engine: LocalEngine, questions: Sequence[Question] = QUESTIONS, **options: object) -> list[Row]:
    """All rows of an evaluation."""
    return [row for done in evaluate(engine, questions, RETRIEVER, SETTINGS, **options) for row in done.rows]


def row(k: int = 0, match: float = 0.0, id: str = "a", **changes: object) -> Row:
    return Row(id, "q", k, "text", ("gold",), match, match, match, match, "" if k else "plain", 1.0)._replace(**changes)


# --- answering ---


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
    for eos_id in range(3, 120, 9):  # answers that end early at different places
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


# --- what is left of an interrupted run ---


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


def test_a_run_that_was_cut_off_goes_on_where_it_was(llama_engine: LocalEngine, tmp_path: Path) -> None:
    run = run_name(llama_engine, PASSAGES, SETTINGS)
    whole = RowsFile(tmp_path / "whole.csv", run)
    whole.append(rows_of(llama_engine))
    content = whole.path.read_bytes()
    assert tuple(content.decode().splitlines()[0].split(",")) == COLUMNS
    for cut in range(len(content) - 1, 0, -97):  # wherever it was cut: inside quotation marks, a number, a line end
        path = tmp_path / "cut.csv"
        path.write_bytes(content[:cut])
        if cut < len(",".join(COLUMNS)) + 2:
            continue
        file = RowsFile(path, run)
        for settings, questions in remaining(QUESTIONS, SETTINGS, file.rows):
            for done in evaluate(llama_engine, questions, RETRIEVER, settings, 5):
                file.append(done.rows)
        again = RowsFile(path, run)
        key = [(row.key, row.answer, row.exact_match, row.f1, row.golden_answers) for row in sorted(again.rows)]
        assert key == [(r.key, r.answer, r.exact_match, r.f1, r.golden_answers) for r in sorted(whole.rows)]
        if cut < len(content) * 0.6:
            break


@pytest.mark.parametrize(
    "other",
    [
        lambda engine: run_name(engine, PASSAGES[:2], SETTINGS),
        lambda engine: run_name(engine, PASSAGES, replace(SETTINGS, passages=1)),
        lambda engine: run_name(engine, PASSAGES, replace(SETTINGS, decoding=DecodingOptions(7))),
        lambda engine: run_name(
            LocalEngine(engine.backbone, engine.backbone.initial_virtual_tokens()), PASSAGES, SETTINGS
        ),
    ],
)
def test_rows_of_another_run_do_not_mix(llama_engine: LocalEngine, tmp_path: Path, other: object) -> None:
    path = tmp_path / "rows.csv"
    RowsFile(path, other(llama_engine)).append([row()])  # type: ignore[operator]
    with pytest.raises(DocumentError, match="rows of another run") as error:
        RowsFile(path, run_name(llama_engine, PASSAGES, SETTINGS))
    one_line(error)
    assert len(path.read_text().splitlines()) == 2  # it is as it was


def test_a_row_that_no_evaluation_wrote_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    RowsFile(path, "run").append([row(match=0.25), row(5)])
    content = path.read_text().replace("0.25", "a quarter", 1)
    path.write_text(content)
    with pytest.raises(DocumentError, match="holds a row that no evaluation wrote") as error:
        RowsFile(path, "run")
    one_line(error)
    assert path.read_text() == content


def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "thesis.csv"
    for content in (b"my,thesis\r\n", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(DocumentError, match="choose another file") as error:
            RowsFile(path, "run")
        one_line(error)
        assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written") as error:
        RowsFile(tmp_path / "none" / "rows.csv", "run")
    one_line(error)


def test_rows_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    rows = [
        row(id="=1+1", answer='two\nlines, "quoted"\r\n', golden_answers=("ü, |", "日本"), f1=1 / 3),
        row(baseline="examples", seconds=0.25),
    ]
    RowsFile(tmp_path / "rows.csv", "run").append(rows)
    assert RowsFile(tmp_path / "rows.csv", "run").rows == rows


# --- the table ---


def test_the_summary_has_the_means_of_each_k() -> None:
    rows = [row(0, 0.0), row(0, 1.0, "b"), row(50, 1.0), row(50, 1.0, "b", f1=0.5), row(5, 0.5, "b", seconds=3.0)]
    plain, five, fifty = summarize(rows)
    assert [s.virtual_tokens for s in (plain, five, fifty)] == [0, 5, 50]
    assert (plain.n, plain.exact_match, plain.exact_match_gain) == (2, 0.5, None)
    assert (five.n, five.exact_match, five.seconds) == (1, 0.5, 3.0)
    assert five.exact_match_gain == Interval(-0.5, -0.5)  # against k = 0 on the same question
    assert (fifty.exact_match, fifty.f1, fifty.contained) == (1.0, 0.75, 1.0)
    assert fifty.exact_match_gain == Interval(0.0, 1.0)


def test_without_k_0_there_is_no_gain_to_tell() -> None:
    (summary,) = summarize([row(50, 1.0)])
    assert summary.exact_match_gain is summary.f1_gain is None


def test_of_two_rows_of_the_same_answer_the_later_counts() -> None:
    (summary,) = summarize([row(0, 0.0), row(0, 1.0)])
    assert (summary.n, summary.exact_match) == (1, 1.0)


def test_the_bootstrap_interval_is_that_of_the_mean() -> None:
    # 400 differences of mean 0.25, standard deviation 0.433: the mean's error is 0.0217.
    interval = bootstrap([1.0] * 100 + [0.0] * 300)
    assert interval is not None
    assert interval.low == pytest.approx(0.25 - 1.96 * 0.0217, abs=0.005)
    assert interval.high == pytest.approx(0.25 + 1.96 * 0.0217, abs=0.005)
    assert bootstrap([1.0] * 100 + [0.0] * 300) == interval
    assert bootstrap([]) is None


def test_the_table_has_a_line_for_each_k() -> None:
    rows = [row(0), row(50, 1.0), row(0, 0.5, baseline="instruction")]
    frame = as_frame(summarize(rows))
    assert list(frame["k"]) == ["0", "50", "in words (instruction)"]
    assert list(frame["exact match"]) == list(frame["first line"]) == ["0.000", "1.000", "0.500"]
    assert list(frame["EM - EM(k=0), 95 %"]) == ["", "+1.000 to +1.000", "+0.500 to +0.500"]


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    nasty = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\r=1"]
    text = safe_csv([row(id=text, answer=text, question=text) for text in nasty])
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [record["answer"] for record in records] == [f"'{text}" for text in nasty]
    assert all(record["id"][0] == record["question"][0] == "'" for record in records)
    assert json.loads(records[0]["golden_answers"]) == ["gold"]


def test_the_passages_of_the_tests_are_found() -> None:
    assert [RETRIEVER.search(q.question, 1)[0].passage.text for q in QUESTIONS[:3]] == [FERRY, MAST, KITES]
