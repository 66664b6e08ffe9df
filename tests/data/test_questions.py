"""Question files of all formats, and what is skipped of them."""

import json
import sys
from pathlib import Path

import pytest

from spring.data.questions import Question, QuestionColumns, read_questions
from spring.data.types import Passage
from spring.errors import DocumentError
from tests.conftest import ROOT, one_line


def write(folder: Path, name: str, *rows: object) -> Path:
    """A file of JSON rows, or of lines as they are."""
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_flashrag(tmp_path: Path) -> None:
    row = {"id": "nq-1", "question": " who? ", "golden_answers": ["X", "B", "X"], "metadata": {"gold_passage": "p7"}}
    read = read_questions(write(tmp_path, "q.jsonl", row, "", row | {"id": "nq-2"}))
    assert read.questions[0] == Question("nq-1", "who?", ("X", "B"), gold_passage="p7")
    assert [question.id for question in read.questions] == ["nq-1", "nq-2"]
    numbered = read_questions(write(tmp_path, "n.jsonl", row | {"metadata": {"gold_passage": 0}}))
    assert numbered.questions[0].gold_passage == "0"
    assert read.skipped == ()
    assert read.note == ""


@pytest.mark.parametrize("target", ["1921", ["1921"], 1921, [1921]])
def test_spring_s_training_format(tmp_path: Path, target: object) -> None:
    passages = ["first", {"title": "T", "text": "second"}, {"contents": "T\nthird"}, {"text": "fourth"}, 5, ""]
    read = read_questions(write(tmp_path, "q.jsonl", {"question": "q", "target": target, "ret_passages": passages}))
    (question,) = read.questions
    assert question.golden_answers == ("1921",)
    assert [passage.titled for passage in question.passages] == ["first", "T\nsecond", "T\nthird", "fourth"]
    assert all(isinstance(passage, Passage) for passage in question.passages)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv(tmp_path: Path, delimiter: str) -> None:
    lines = [f"Question{delimiter}Answer", f'"who{delimiter} when"{delimiter}X | B', "", f"which{delimiter}C"]
    read = read_questions(write(tmp_path, "q.csv", *lines))
    assert read.questions == (Question("2", f"who{delimiter} when", ("X", "B")), Question("4", "which", ("C",)))


def test_csv_in_another_encoding_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("question,answer\nWo?,Zürich\n".encode("utf-8-sig"))
    assert read_questions(path).questions[0].golden_answers == ("Zürich",)
    path.write_bytes("question,answer\nWo liegt die größte Stadt?,Zürich\n".encode("cp1252"))
    assert read_questions(path).questions[0].golden_answers == ("Zürich",)


def test_bad_rows_are_skipped_with_number_and_reason(tmp_path: Path) -> None:
    good = {"question": "q", "golden_answers": ["x"]}
    rows = [
        good,
        "{",
        "[1]",
        '"text"',
        {"question": "", "golden_answers": ["x"]},
        {"question": "q"},
        {"question": "q", "golden_answers": [" ", None, {}]},
        good | {"ret_passages": [7]},
        "[" * 100_000,
        '{"question": "q", "golden_answers": [' + "1" * 5_000 + "]}",
        good | {"golden_answers": list(range(1_001))},
        good | {"golden_answers": ["The", "?"]},
        good,
    ]
    read = read_questions(write(tmp_path, "q.jsonl", *rows))
    assert [question.id for question in read.questions] == ["1", "13"]
    assert read.skipped == (
        "row 2: not valid JSON",
        "row 3: not an object",
        "row 4: not an object",
        "row 5: no question",
        "row 6: no golden answer (its columns are question; needed are question and answer)",
        "row 7: no golden answer",
        "row 8: ret_passages hold no text",
        "row 9: nested too deeply",
        "row 10: not valid JSON",
        "row 11: more than 1,000 golden answers",
        "row 12: its golden answers are nothing but articles and punctuation",
    )
    assert read.note.startswith("11 rows skipped: row 2: not valid JSON; row 3")
    assert read.note.endswith("; and 6 more.")


def test_golden_answers_that_no_score_counts_are_left_out_and_said(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.jsonl", {"question": "q", "golden_answers": ["The", "Who", "nan"]}))
    assert read.questions[0].golden_answers == ("Who", "nan")
    assert read.note == "1 golden answer is nothing but articles and punctuation, and left out: row 1: The."
    row = '{"question": "q", "answers": [NaN, 3]}'  # as pandas writes a gap
    assert read_questions(write(tmp_path, "gap.jsonl", row)).questions[0].golden_answers == ("3",)


def test_bad_rows_of_a_csv(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.csv", "id,question,answer", "x,q,c", "y,q", "z,q,c,d", "x,q,c"))
    assert [question.id for question in read.questions] == ["x", "x (row 5)"]
    assert read.skipped == ("row 3: no golden answer", "row 4: more cells than columns")


def test_a_row_whose_quotation_mark_stays_open_is_left_out(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.tsv", "question\tanswer", "q\tx", 'r\t"y', "s\tz"))
    assert [question.question for question in read.questions] == ["q"]
    assert read.skipped == ("row 3: a quotation mark is never closed, the rows after it were read as its cell",)


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.jsonl", r'{"question": "q\ud800", "golden_answers": ["x\udc00b"]}'))
    assert read.questions == (Question("1", "q\N{REPLACEMENT CHARACTER}", ("x\N{REPLACEMENT CHARACTER}b",)),)


def test_one_json_list_is_read_as_its_rows(tmp_path: Path) -> None:
    good = [{"question": "q", "golden_answers": ["x"]}, {"id": 5, "question": "r", "target": "b"}]
    rows = json.dumps([good[0], {"question": "no answer"}, good[1]], indent=2)
    read = read_questions(write(tmp_path, "q.json", rows))
    assert [(question.id, question.golden_answers) for question in read.questions] == [("1", ("x",)), ("5", ("b",))]
    assert read.skipped == ("row 2: no golden answer (its columns are question; needed are question and answer)",)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("q.json", "[1, {", "row 1: not valid JSON"),
        ("q.jsonl", "", 'need "question" and "golden_answers"'),
        ("q.jsonl", '{"id": 1}', "1 row skipped: row 1: no question (its columns are id; needed"),
        ("q.csv", "name,age\nx,3", "row 2: no question"),
        ("q.csv", "", "need"),
        ("q.pdf", "%PDF", "is no question file"),
        ("q.jsonl", "\0\1\2\3", "does not look like text"),
    ],
)
def test_a_file_without_a_good_row_is_an_error(tmp_path: Path, name: str, content: str, reason: str) -> None:
    with pytest.raises(DocumentError, match=name) as error:
        read_questions(write(tmp_path, name, content))
    assert reason in one_line(error)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read") as error:
        read_questions(tmp_path / "none.jsonl")
    one_line(error)


@pytest.mark.parametrize("path", sorted((ROOT / "corpora").glob("*/questions.jsonl")))
def test_the_sample_questions_are_whole(path: Path) -> None:
    read = read_questions(path)
    assert len(read.questions) == 20
    assert not read.skipped


ANSWERS = {"question": "q", "golden_answers": ["x", "b"]}


@pytest.mark.parametrize(
    ("name", "content", "answers"),
    [
        (
            "squad.json",
            {"data": [{"paragraphs": [{"qas": [{"question": "q", "answers": [{"text": "x"}, {"text": "b"}]}]}]}]},
            "xb",
        ),
        ("hf.jsonl", {"question": "q", "answers": {"text": ["x", "b"], "answer_start": [0, 1]}}, "xb"),
        ("nq.jsonl", {"question": "q", "answer": ["x", "b"]}, "xb"),
        ("trivia.jsonl", {"question": "q", "answer": {"value": "x", "aliases": ["x", "b"], "type": "x"}}, "xb"),
        ("trivia.json", {"Data": [{"Question": "q", "Answer": {"Value": "x", "Aliases": ["b"]}}]}, "xb"),
        ("query.ndjson", {"Query": "q", "Ground truth": "x"}, "x"),
        ("empty.jsonl", {"question": "q", "golden_answers": [], "answer": "x"}, "x"),
        ("pandas.json", {"question": {"0": "q"}, "answer": {"0": ["x", "b"]}}, "xb"),
        ("dict.json", {"Question": ["q"], "answer": [["x", "b"]]}, "xb"),
        ("server.json", {"features": [], "rows": [{"row_idx": 0, "row": ANSWERS}]}, "xb"),
        ("ids.json", {"q1": {"question": "q", "answer": "x"}, "q2": {"question": ""}}, "x"),
        ("popqa.jsonl", {"question": "q", "possible_answers": '["x", "b"]'}, "xb"),
        ("musique.jsonl", {"question": "q", "answer": "x", "answer_aliases": ["b"], "answerable": True}, "xb"),
        ("nq.jsonl", {"question": {"text": "q"}, "annotations": {"short_answers": [{"text": ["x"]}, {}]}}, "x"),
        ("list.json", {"version": "1", "tags": ["x"], "rows": [ANSWERS]}, "xb"),
        ("pretty.json", ANSWERS, "xb"),
    ],
)
def test_shapes_of_json(tmp_path: Path, name: str, content: dict[str, object], answers: str) -> None:
    (question,) = read_questions(write(tmp_path, name, json.dumps(content))).questions
    assert question.question == "q"
    assert question.golden_answers == tuple(answers)


def test_an_answer_of_json_is_one_however_it_is_written(tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": value} for value in ("ls | wc", "['x']", True, 3)]
    read = read_questions(write(tmp_path, "q.jsonl", *rows))
    assert [q.golden_answers for q in read.questions] == [("ls | wc",), ("['x']",), ("yes", "true"), ("3",)]


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ('"[""1932"", ""in 1932""]"', ("1932", "in 1932")),
        ("\"['1932', 'in 1932']\"", ("1932", "in 1932")),
        ('"[1932, true]"', ("1932", "yes", "true")),
        ("\"['1932' 'in 1932']\"", ("1932", "in 1932")),  # NumPy's, as pandas writes it
        ("\"['O''Brien', '', 'b']\"".replace("''B", "\\'B"), ("O'Brien", "b")),
        ("\"{'text': array(['1932'], dtype=object), 'answer_start': array([1, 2])}\"", ("1932",)),
        ("{1932}", ("{1932}",)),
        ("1932|in 1932", ("1932", "in 1932")),
        ("[sic] 1932", ("[sic] 1932",)),
        ("[not a list]", ("[not a list]",)),
        ('"' + "[" * 5_000 + "x" + "]" * 5_000 + '"', ("[" * 5_000 + "x" + "]" * 5_000,)),
    ],
)
def test_answers_in_a_cell(tmp_path: Path, cell: str, answers: tuple[str, ...]) -> None:
    (question,) = read_questions(write(tmp_path, "q.csv", "Question,Answer", f"q,{cell}")).questions
    assert question.golden_answers == answers


@pytest.mark.parametrize("lines", [("sep=;", "question;answer", "q, or not;x"), ("question|answer", "q, or not|x")])
def test_delimiters(tmp_path: Path, lines: tuple[str, ...]) -> None:
    (question,) = read_questions(write(tmp_path, "q.csv", *lines)).questions
    assert (question.question, question.golden_answers) == ("q, or not", ("x",))


UNANSWERABLE = [
    {"question": "r", "is_impossible": True, "answers": [], "plausible_answers": [{"text": "y"}]},
    {"question": "r", "answers": {"text": [], "answer_start": []}},
    {"question": "r", "answer": "y", "answerable": False},
]


def test_questions_without_an_answer_are_counted_or_scored(tmp_path: Path) -> None:
    path = write(tmp_path, "q.jsonl", ANSWERS, *UNANSWERABLE)
    read = read_questions(path)
    assert (len(read.questions), read.skipped, read.unanswerable) == (1, (), 3)
    assert read.note == "3 questions that have no answer are left out."
    scored = read_questions(path, QuestionColumns(no_answer="no answer"))
    assert [q.golden_answers for q in scored.questions[1:]] == [("no answer",)] * 3
    assert (scored.unanswerable, scored.note) == (0, "")


@pytest.mark.parametrize(
    ("name", "content"), [("q.csv", "headline,reply\nx,y"), ("q.jsonl", '{"headline": 1, "reply": 2}')]
)
def test_unknown_columns_are_named_once(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_questions(write(tmp_path, name, *[content] * 3))
    assert "no question (its columns are headline, reply; needed are question and answer" in one_line(error)
    assert one_line(error).count("headline") == 1
    good = '{"question": "q", "answer": "x"}'
    assert "headline, reply" in read_questions(write(tmp_path, "mixed.jsonl", '{"headline": 1, "reply": 2}', good)).note


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "q.csv", "Head line,reply,answer", "x?,y|z,no")
    (question,) = read_questions(path, QuestionColumns("head line", "Reply")).questions
    assert (question.question, question.golden_answers) == ("x?", ("y", "z"))
    with pytest.raises(DocumentError, match="needed are head line and none") as error:
        read_questions(path, QuestionColumns("head line", "none"))
    one_line(error)


ROWS = [ANSWERS | {"metadata": {"gold_passage": "p1"}, "image": b"0"}, {"question": "r", "golden_answers": None}]


def arrow_file(path: Path, rows: list[dict[str, object]]) -> Path:
    """A file as pandas or Hugging Face's datasets write it."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        new = pyarrow.ipc.new_file if path.suffix == ".feather" else pyarrow.ipc.new_stream
        with new(str(path), table.schema) as writer:
            writer.write_table(table)
    return path


@pytest.mark.parametrize("name", ["q.parquet", "q.arrow", "q.feather"])
def test_parquet_and_arrow(tmp_path: Path, name: str) -> None:
    read = read_questions(arrow_file(tmp_path / name, ROWS))
    assert read.questions == (Question("1", "q", ("x", "b"), gold_passage="p1"),)
    assert read.skipped == ("row 2: no golden answer",)
    with pytest.raises(DocumentError, match="its columns are headline, reply; needed are question and answer"):
        read_questions(arrow_file(tmp_path / name, [{"headline": "q", "reply": 1}]))
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
    with pytest.raises(DocumentError, match=f"{name} is not a readable") as error:
        read_questions(tmp_path / name)
    one_line(error)


def test_without_pyarrow_a_parquet_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DocumentError, match="needs pyarrow to be read: install it") as error:
        read_questions(write(tmp_path, "q.parquet", "PAR1"))
    one_line(error)
