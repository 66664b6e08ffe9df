"""The file of rows, with which an interrupted run continues, and the table."""

import copy
import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from spring.errors import DocumentError
from spring.evaluation.identity import Identity, run_identity, run_name
from spring.evaluation.results import COLUMNS, RowsFile, as_frame, safe_csv
from spring.evaluation.runner import evaluate, remaining
from spring.evaluation.summary import summarize
from spring.generation.comparison import ComparisonSettings
from spring.generation.engine import LocalEngine
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone
from spring.models.loader import load_backbone
from spring.models.virtual_tokens import VirtualTokens
from spring.rag.bm25 import Bm25Retriever
from spring.rag.terms import RULES
from tests.conftest import PASSAGES, one_line
from tests.support.evaluation import QUESTIONS, RETRIEVER, SETTINGS, row, rows_of

NO_ENGINE: Identity = {"backbone": "b"}


def identity(engine: LocalEngine, settings: ComparisonSettings = SETTINGS, **changes: object) -> dict[str, str]:
    """Of a run over the questions, with a few things changed."""
    given = {"retriever": RETRIEVER, "sets": {"dev": QUESTIONS}} | changes
    return run_identity(engine, settings, **given)  # type: ignore[arg-type]


def test_a_run_that_was_cut_off_goes_on_where_it_was(llama_engine: LocalEngine, tmp_path: Path) -> None:
    run = identity(llama_engine)
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


def test_the_same_run_is_the_same_whatever_holds_it(llama_engine: LocalEngine, tiny_llama_folder: Path) -> None:
    here = identity(llama_engine)
    again = LocalEngine(load_backbone(str(tiny_llama_folder), "fp32"), llama_engine.tokens)
    assert identity(again, retriever=Bm25Retriever(PASSAGES)) == here
    assert run_name(here) == run_name(identity(llama_engine, sets={"other": QUESTIONS[:1]}))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda engine: identity(engine, retriever=Bm25Retriever(PASSAGES[:2])), "documents ("),
        (lambda engine: identity(engine, retriever=None), "retriever (none there, Bm25Retriever now)"),
        (lambda engine: identity(engine, replace(SETTINGS, passages=1)), "number of passages (1 there, 2 now)"),
        (
            lambda engine: identity(engine, replace(SETTINGS, decoding=DecodingOptions(7))),
            "new tokens (7 there, 6 now)",
        ),
        (lambda engine: identity(LocalEngine(engine.backbone, half(engine.tokens))), "token file ("),
        (
            lambda engine: identity(LocalEngine(other_weights(engine.backbone), engine.tokens)),
            "weights of the backbone",
        ),
        (lambda engine: identity(LocalEngine(layout(engine.backbone), engine.tokens)), "layout (recipe there"),
        (
            lambda engine: identity(engine) | {"precision": "bf16", "weights": "x"},
            "run: precision (bf16 there, fp32 now);",
        ),
        (lambda engine: identity(engine) | {"term rules": "0"}, f"term rules (0 there, {RULES} now)"),
        (lambda engine: identity(engine) | {"words of the baselines": "x"}, "words of the baselines ("),
        (lambda engine: identity(engine, sets={"dev": QUESTIONS[:2]}), "questions of dev ("),
    ],
)
def test_rows_of_another_run_do_not_mix_and_what_differs_is_named(
    llama_engine: LocalEngine, tmp_path: Path, change: Callable[[LocalEngine], Identity], differs: str
) -> None:
    path = tmp_path / "rows.csv"
    RowsFile(path, change(llama_engine)).append([row()])
    before = path.read_bytes(), (tmp_path / "rows.csv.run.json").read_bytes()
    with pytest.raises(DocumentError, match="holds rows of another run: ") as error:
        RowsFile(path, identity(llama_engine))
    assert differs in one_line(error)
    assert before == (path.read_bytes(), (tmp_path / "rows.csv.run.json").read_bytes())


def half(tokens: VirtualTokens) -> VirtualTokens:
    return VirtualTokens(tokens.embeddings / 2, tokens.backbone)


def other_weights(backbone: Backbone) -> Backbone:
    """As of another revision: one layer differs."""
    model = copy.deepcopy(backbone.model)
    model.model.layers[1].mlp.up_proj.weight.data *= 1.01
    return Backbone(model, backbone.tokenization, backbone.precision)


def layout(backbone: Backbone) -> Backbone:
    return replace(backbone, tokenization=replace(backbone.tokenization, layout="recipe"))


def test_a_set_more_goes_into_the_same_file(tmp_path: Path) -> None:
    RowsFile(tmp_path / "rows.csv", NO_ENGINE | {"questions of a": "1"}).append([row(set="a")])
    RowsFile(tmp_path / "rows.csv", NO_ENGINE | {"questions of b": "2"}).append([row(set="b")])
    file = RowsFile(tmp_path / "rows.csv", NO_ENGINE | {"questions of a": "1"})
    assert [row.set for row in file.rows] == ["a", "b"]
    with pytest.raises(DocumentError, match="questions of b"):
        RowsFile(tmp_path / "rows.csv", NO_ENGINE | {"questions of b": "3"})


def test_rows_without_the_file_beside_them_are_told_by_their_run(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    RowsFile(path, NO_ENGINE).append([row()])
    (tmp_path / "rows.csv.run.json").write_text("[")
    assert RowsFile(path, NO_ENGINE).rows == [row()]
    (tmp_path / "rows.csv.run.json").unlink()
    with pytest.raises(DocumentError, match=r"what differs is not known, as rows\.csv\.run\.json is missing") as error:
        RowsFile(path, {"backbone": "c"})
    one_line(error)


def test_a_row_that_no_evaluation_wrote_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    RowsFile(path, NO_ENGINE).append([row(match=0.25), row(5)])
    content = path.read_text().replace("0.25", "a quarter", 1)
    path.write_text(content)
    with pytest.raises(DocumentError, match="holds a row that no evaluation wrote") as error:
        RowsFile(path, NO_ENGINE)
    one_line(error)
    assert path.read_text() == content


def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "thesis.csv"
    csv.field_size_limit(131_072)  # as Python begins; another test may have raised it
    for content in (b"my,thesis\r\n", b"\xff\xfe\x00", b"a,b\r\n" + b"x" * 140_000 + b",7\r\n"):
        path.write_bytes(content)
        with pytest.raises(DocumentError, match="choose another file") as error:
            RowsFile(path, NO_ENGINE)
        one_line(error)
        assert path.read_bytes() == content


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written") as error:
        RowsFile(tmp_path / "none" / "rows.csv", NO_ENGINE)
    one_line(error)


def test_rows_come_back_from_the_file_as_they_were(tmp_path: Path) -> None:
    rows = [
        row(id="=1+1", answer='two\nlines, "quoted"\r\n', golden_answers=("ü, |", "日本"), f1=1 / 3),
        row(baseline="examples", seconds=0.25),
    ]
    RowsFile(tmp_path / "rows.csv", NO_ENGINE).append(rows)
    assert RowsFile(tmp_path / "rows.csv", NO_ENGINE).rows == rows


def test_the_table_has_a_line_for_each_k() -> None:
    rows = [row(0), row(0, id="b"), row(50, 1.0), row(0, 0.5, baseline="instruction")]
    frame = as_frame(summarize(rows))
    assert list(frame["k"]) == ["0", "50", "in words (instruction)"]
    assert list(frame["exact match"]) == ["0.000 ± 0.000", "1.000 ± 0.000", "0.500 ± 0.000"]
    assert list(frame["first line"]) == ["0.000", "1.000", "0.500"]
    assert list(frame["EM - EM(k=0), 95 %"]) == ["", "+1.000 to +1.000", "+0.500 to +0.500"]
    assert list(frame["gained, lost"]) == ["", "1, 0", "1, 0"]
    assert list(frame["sign test"]) == ["", "p = 1", "p = 1"]
    against = as_frame(summarize(rows, (0, "instruction")))
    assert list(against["EM - EM(in words (instruction)), 95 %"]) == ["-0.500 to -0.500", "+0.500 to +0.500", ""]
    assert "sign test" not in as_frame(summarize(rows[:2]))


def test_a_spreadsheet_takes_no_cell_for_a_formula() -> None:
    nasty = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\r=1"]
    text = safe_csv([row(id=text, answer=text, question=text) for text in nasty])
    records = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [record["answer"] for record in records] == [f"'{text}" for text in nasty]
    assert all(record["id"][0] == record["question"][0] == "'" for record in records)
    assert json.loads(records[0]["golden_answers"]) == ["gold"]
