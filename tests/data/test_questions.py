"""Question files of all formats, and what is skipped of them."""

import json
from pathlib import Path

import pytest

from spring.data.questions import Question, read_questions
from spring.data.types import Passage
from spring.errors import DocumentError
from tests.conftest import ROOT, one_line


def write(folder: Path, name: str, *rows: object) -> Path:
    """A file of JSON rows, or of lines as they are."""
    path = folder / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_flashrag(tmp_path: Path) -> None:
    row = {"id": "nq-1", "question": " who? ", "golden_answers": ["A", "B", "A"], "metadata": {"gold_passage": "p7"}}
    read = read_questions(write(tmp_path, "q.jsonl", row, "", row | {"id": "nq-2"}))
    assert read.questions[0] == Question("nq-1", "who?", ("A", "B"), gold_passage="p7")
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
    lines = [f"Question{delimiter}Answer", f'"who{delimiter} when"{delimiter}A | B', "", f"which{delimiter}C"]
    read = read_questions(write(tmp_path, "q.csv", *lines))
    assert read.questions == (Question("2", f"who{delimiter} when", ("A", "B")), Question("4", "which", ("C",)))


def test_csv_in_another_encoding_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("question,answer\nWo?,Zürich\n".encode("utf-8-sig"))
    assert read_questions(path).questions[0].golden_answers == ("Zürich",)
    path.write_bytes("question,answer\nWo liegt die größte Stadt?,Zürich\n".encode("cp1252"))
    assert read_questions(path).questions[0].golden_answers == ("Zürich",)


def test_bad_rows_are_skipped_with_number_and_reason(tmp_path: Path) -> None:
    good = {"question": "q", "golden_answers": ["a"]}
    rows = [
        good,
        "{",
        "[1]",
        '"text"',
        {"question": "", "golden_answers": ["a"]},
        {"question": "q"},
        {"question": "q", "golden_answers": [" ", None, {}]},
        good | {"ret_passages": [7]},
        "[" * 100_000,
        '{"question": "q", "golden_answers": [' + "1" * 5_000 + "]}",
        good | {"golden_answers": list(range(1_001))},
        good,
    ]
    read = read_questions(write(tmp_path, "q.jsonl", *rows))
    assert [question.id for question in read.questions] == ["1", "12"]
    assert read.skipped == (
        "row 2: not valid JSON",
        "row 3: not an object",
        "row 4: not an object",
        "row 5: no question",
        "row 6: no golden answer",
        "row 7: no golden answer",
        "row 8: ret_passages hold no text",
        "row 9: nested too deeply",
        "row 10: not valid JSON",
        "row 11: more than 1,000 golden answers",
    )
    assert read.note.startswith("10 rows skipped: row 2: not valid JSON; row 3")
    assert read.note.endswith("; and 5 more.")


def test_bad_rows_of_a_csv(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.csv", "id,question,answer", "x,q,a", "y,q", "z,q,a,b", "x,q,a"))
    assert [question.id for question in read.questions] == ["x", "x (row 5)"]
    assert read.skipped == ("row 3: no golden answer", "row 4: more cells than columns")


def test_half_a_surrogate_pair_is_no_text(tmp_path: Path) -> None:
    read = read_questions(write(tmp_path, "q.jsonl", r'{"question": "q\ud800", "golden_answers": ["a\udc00b"]}'))
    assert read.questions == (Question("1", "q\N{REPLACEMENT CHARACTER}", ("a\N{REPLACEMENT CHARACTER}b",)),)


def test_one_json_list_is_read_as_its_rows(tmp_path: Path) -> None:
    good = [{"question": "q", "golden_answers": ["a"]}, {"id": 5, "question": "r", "target": "b"}]
    rows = json.dumps([good[0], {"question": "no answer"}, good[1]], indent=2)
    read = read_questions(write(tmp_path, "q.json", rows))
    assert [(question.id, question.golden_answers) for question in read.questions] == [("1", ("a",)), ("5", ("b",))]
    assert read.skipped == ("row 2: no golden answer",)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("q.json", "[1, {", "row 1: not valid JSON"),
        ("q.jsonl", "", 'need "question" and "golden_answers"'),
        ("q.jsonl", '{"id": 1}', "1 row skipped: row 1: no question."),
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


ANSWERS = {"question": "q", "golden_answers": ["a", "b"]}


@pytest.mark.parametrize(
    ("name", "content", "answers"),
    [
        (
            "squad.json",
            {"data": [{"paragraphs": [{"qas": [{"question": "q", "answers": [{"text": "a"}, {"text": "b"}]}]}]}]},
            "ab",
        ),
        ("hf.jsonl", {"question": "q", "answers": {"text": ["a", "b"], "answer_start": [0, 1]}}, "ab"),
        ("nq.jsonl", {"question": "q", "answer": ["a", "b"]}, "ab"),
        ("trivia.jsonl", {"question": "q", "answer": {"value": "a", "aliases": ["a", "b"], "type": "x"}}, "ab"),
        ("trivia.json", {"Data": [{"Question": "q", "Answer": {"Value": "a", "Aliases": ["b"]}}]}, "ab"),
        ("query.ndjson", {"Query": "q", "Ground truth": "a"}, "a"),
        ("empty.jsonl", {"question": "q", "golden_answers": [], "answer": "a"}, "a"),
        ("list.json", {"version": "1", "tags": ["x"], "rows": [ANSWERS]}, "ab"),
        ("pretty.json", ANSWERS, "ab"),
    ],
)
def test_shapes_of_json(tmp_path: Path, name: str, content: dict[str, object], answers: str) -> None:
    (question,) = read_questions(write(tmp_path, name, json.dumps(content))).questions
    assert question.question == "q"
    assert question.golden_answers == tuple(answers)


def test_an_answer_of_json_is_one_however_it_is_written(tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": value} for value in ("ls | wc", "['a']", True, 3)]
    read = read_questions(write(tmp_path, "q.jsonl", *rows))
    assert [q.golden_answers for q in read.questions] == [("ls | wc",), ("['a']",), ("yes", "true"), ("3",)]


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ('"[""1932"", ""in 1932""]"', ("1932", "in 1932")),
        ("\"['1932', 'in 1932']\"", ("1932", "in 1932")),
        ('"[1932, true]"', ("1932", "yes", "true")),
        ("1932|in 1932", ("1932", "in 1932")),
        ("[sic] 1932", ("[sic] 1932",)),
        ("[not a list]", ("[not a list]",)),
        ('"' + "[" * 5_000 + "]" * 5_000 + '"', ("[" * 5_000 + "]" * 5_000,)),
    ],
)
def test_answers_in_a_cell(tmp_path: Path, cell: str, answers: tuple[str, ...]) -> None:
    (question,) = read_questions(write(tmp_path, "q.csv", "Question,Answer", f"q,{cell}")).questions
    assert question.golden_answers == answers


@pytest.mark.parametrize("lines", [("sep=;", "question;answer", "q, or not;a"), ("question|answer", "q, or not|a")])
def test_delimiters(tmp_path: Path, lines: tuple[str, ...]) -> None:
    (question,) = read_questions(write(tmp_path, "q.csv", *lines)).questions
    assert (question.question, question.golden_answers) == ("q, or not", ("a",))


def test_impossible_questions_are_skipped(tmp_path: Path) -> None:
    rows = [ANSWERS, {"question": "r", "is_impossible": True, "answers": []}]
    assert read_questions(write(tmp_path, "q.jsonl", *rows)).skipped == ("row 2: marked as impossible to answer",)


@pytest.mark.parametrize(
    ("name", "content"), [("q.csv", "headline,reply\nx,y"), ("q.jsonl", '{"headline": 1, "reply": 2}')]
)
def test_unknown_columns_are_named(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(
        DocumentError, match="Its columns are headline, reply; call the one with the questions question"
    ):
        read_questions(write(tmp_path, name, content))
