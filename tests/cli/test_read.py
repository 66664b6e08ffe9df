"""`python -m spring read`: every file has its object or its lines, bad ones beside good ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from spring.cli.main import main
from tests.support.files import pdf, write

pytestmark = pytest.mark.usefixtures("reading_child")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, the objects on the standard output and the standard error."""
    status = main(["read", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


def test_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "docs/sub/b.pdf", pdf(["One."], [], ["Three."]))
    write(tmp_path / "docs/a.txt", "The lamp\n\nburns.")
    bad, none = write(tmp_path / "bad.docx", b"PK\3\4"), tmp_path / "none.txt"
    status, objects, err = run(capsys, tmp_path / "docs", bad, none)
    assert (status, err) == (0, "")
    assert objects[:2] == [
        {
            "document": "a.txt", "title": "a", "pages": 1, "warnings": [],
            "passages": [{"page": 1, "section": "", "text": "The lamp\nburns."}],
        },
        {
            "document": "sub/b.pdf", "title": "b", "pages": 3, "warnings": ["page 2 has no text"],
            "passages": [{"page": 1, "section": "", "text": "One."}, {"page": 3, "section": "", "text": "Three."}],
        },
    ]  # fmt: skip
    assert [(value["document"], value["error"].partition(": ")[0]) for value in objects[2:]] == [
        ("bad.docx", "bad.docx"),
        ("none.txt", "none.txt"),
    ]


def test_status_2_if_nothing_could_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, objects, err = run(capsys, write(tmp_path / "a.txt", ""))
    assert (status, err) == (2, "spring: None of the files could be read.\n")
    assert objects == [{"document": "a.txt", "error": "a.txt: it is empty; save it again"}]
    status, objects, err = run(capsys, "--questions", write(tmp_path / "a.jsonl", "oops"))
    assert (status, err) == (2, "spring: None of the files could be read.\n")
    assert objects[0]["file"] == "a.jsonl"
    assert objects[0]["error"].startswith("a.jsonl has no row")


@pytest.mark.parametrize("arguments", [[], ["--questions"]])
def test_status_2_if_nothing_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) if arguments else pytest.MonkeyPatch.context():  # argparse ends by itself
        assert main(["read", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_title_of_a_row_stands_above_its_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = write(tmp_path / "rows.jsonl", '{"title": "Lantern", "text": "It burns."}\n{"text": "It floats."}\n')
    _, (value,), _ = run(capsys, rows)
    assert value["title"] == "rows"
    assert [passage["text"] for passage in value["passages"]] == ["Lantern\nIt burns.", "It floats."]


def test_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good.jsonl", '{"id": 7, "question": "When?", "golden_answers": ["1932"]}\noops\n')
    status, objects, _ = run(capsys, "--questions", good, write(tmp_path / "bad.csv", "a,b\n1,2\n"))
    assert status == 0
    assert objects[0] == {
        "file": "good.jsonl",
        "questions": [{"id": "7", "question": "When?", "golden_answers": ["1932"]}],
        "skipped": ["row 2: not valid JSON"],
    }
    assert objects[1]["file"] == "bad.csv"
    assert objects[1]["error"]


def test_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = write(tmp_path / "q.csv", "question,answer\nWhen?,1932|in 1932\n")
    paths = [write(tmp_path / "a.txt", "The lamp burns."), write(tmp_path / "b.txt", ""), "--questions", questions]
    assert main(["read", *map(str, paths)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a.txt: 1 page, 1 passage", "Title: a", "", "[1] page 1", "The lamp burns.", "",
        "b.txt: it is empty; save it again", "q.csv: 1 question", "2: When? (1932 | in 1932)",
    ]  # fmt: skip


def test_many_files_have_a_progress_bar_and_a_row_more_than_an_upload_may_have_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        write(tmp_path / f"docs/{number:02}.txt", f"lamp {number}")
    write(tmp_path / "docs/rows.jsonl", '{"text": "x"}\n' * 20_001)
    status, objects, err = run(capsys, tmp_path / "docs")
    assert (status, len(objects)) == (0, 31)
    assert objects[-1]["pages"] == 20_001
    assert "31" in err or not err  # the bar comes after half a second


def test_a_path_that_the_system_refuses_leaves_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = f"{'n' * 300}.jsonl"
    status, objects, _ = run(capsys, long, write(tmp_path / "a.txt", "lamp"), "--questions", long)
    assert status == 0
    assert [value.get("pages") for value in objects] == [None, 1, None]
    assert "it does not exist or is not a file" in objects[0]["error"]
    assert "File name too long" in objects[2]["error"]
