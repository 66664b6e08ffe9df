"""What the child reads of ordinary documents and questions is what this process would read."""

import json
from pathlib import Path

import pytest

from spring.data.collection import read_collection
from spring.data.questions import read_questions
from spring.data.sandbox.files import parse_documents, parse_questions
from spring.data.types import FileResult
from spring.errors import DocumentError
from tests.conftest import one_line
from tests.support.files import CORPORA, write

pytestmark = pytest.mark.usefixtures("reading_child")


@pytest.mark.parametrize("corpus", ["orlo-station", "everyday-inventions", "space-missions"])
def test_the_child_reads_what_this_process_reads(corpus: str) -> None:
    paths = sorted((CORPORA / corpus / "documents").iterdir())
    read, parsed = read_collection(paths), parse_documents(paths)
    assert parsed.passages == read.passages
    assert parsed.results == read.results
    assert all(result.digest for result in read.results)
    assert parsed.documents == ()


def test_names_are_clean_short_and_not_taken(tmp_path: Path) -> None:
    paths = [write(tmp_path / folder / "a\u2028b.txt", f"lamp {folder}") for folder in "xy"]
    paths.append(write(tmp_path / ("long" * 60 + ".txt"), "lamp"))
    parsed = parse_documents(paths, before=[FileResult("a b.txt")])
    assert [result.name for result in parsed.results[:2]] == ["a b.txt (2)", "a b.txt (3)"]
    assert len(parsed.results[2].name) == 200
    assert parsed.results[2].name.endswith("long.txt")
    assert [passage.document for passage in parsed.passages] == [result.name for result in parsed.results]


def test_copies_are_said_and_not_read_again(tmp_path: Path) -> None:
    bad, good = write(tmp_path / "x/lamp.exe", "The lamp burns."), write(tmp_path / "lamp.txt", "The lamp burns.")
    copy, empty = write(tmp_path / "x/copy.md", "The lamp burns."), write(tmp_path / "empty.txt", "")
    first = parse_documents([bad, good, copy, empty, tmp_path / "none.txt"])
    said = [result.line for result in first.results]
    assert said[1:3] == ["lamp.txt: 1 page, 1 passage", "copy.md: the same file as lamp.txt, which is read once"]
    assert [result.error is None for result in first.results] == [False, True, True, False, False]
    assert [passage.document for passage in first.passages] == ["lamp.txt"]
    again = parse_documents([copy], before=first.results)  # a later upload of the same visitor
    assert [result.line for result in again.results] == ["copy.md (2): the same file as lamp.txt, which is read once"]
    assert not again.passages
    assert read_collection([good, copy]).results == first.results[1:3]


@pytest.mark.parametrize("path", sorted(CORPORA.glob("*/questions.jsonl")), ids=lambda path: path.parent.name)
def test_question_files(path: Path) -> None:
    assert parse_questions(path) == read_questions(path)


def test_questions_bring_their_passages_and_bad_rows_their_reasons(tmp_path: Path) -> None:
    row = {"question": "Who?", "target": ["Ulla", 7], "ret_passages": [{"title": "A", "text": "Ulla."}, "Orlo."]}
    path = write(tmp_path / "q.jsonl", "\n".join([json.dumps(row), "[" * 100_000, '{"question": ' + "9" * 5_000]))
    assert parse_questions(path) == read_questions(path)
    assert parse_questions(path).skipped == ("row 2: nested too deeply", "row 3: not valid JSON")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("q.jsonl", b"{}", "q.jsonl has no row with a question and golden answers. 1 row skipped: row 1: no question."),
        ("q.csv", b"MZ\0\0", "q.csv: it does not look like text; save it as UTF-8 text."),
    ],
)
def test_a_bad_question_file_gets_its_sentence(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        parse_questions(write(tmp_path / name, data))
    assert one_line(error) == message
