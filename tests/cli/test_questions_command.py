"""`spring questions`: rows that say who drafted them, and that dev refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spring.cli.main import main
from spring.data.questions import read_questions
from spring.training import drafting
from spring.training.drafting import DraftedPair, Drafts
from tests.conftest import FERRY, PASSAGES, QUESTION

pytestmark = pytest.mark.usefixtures("reading_child")

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "ferry.txt").write_text(FERRY)
    return tmp_path / "ferry.txt"


def questions(documents: Path, model: Path, output: object, *more: object) -> int:
    given = ["questions", documents, "--backbone", model, "--precision", "fp32", "--output", output, *more]
    return main(list(map(str, given)))


def test_the_rows_are_marked_and_dev_does_not_take_them(
    documents: Path, tiny_llama_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    def two(*_: Any) -> Iterator[Drafts]:
        drafts = Drafts()
        for answer in ("nine", "wool"):
            drafts.pairs.append(DraftedPair(QUESTION, answer, PASSAGES[0]))
            drafts.dropped["no question"] += 1
            yield drafts

    monkeypatch.setattr(drafting, "draft", two)
    output = tmp_path / "drafted.jsonl"
    assert questions(documents, tiny_llama_folder, output, "--number", 2) == 0
    told = capsys.readouterr().out
    assert "2 of 4 drafted questions kept; dropped: 2 no question. Check each" in told
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["id"], row["golden_answers"]) for row in rows] == [("drafted-1", ["nine"]), ("drafted-2", ["wool"])]
    assert rows[0]["metadata"] == {"drafted": "tiny-llama", "document": "0.txt", "page": 1, "passage": FERRY}
    read = read_questions(output)
    assert read.drafted == 2
    assert "2 questions are drafted by a model, not asked by people." in read.note
    train = ["train", str(output), "--corpus", str(documents), "--output", str(tmp_path / "t.safetensors")]
    assert main([*train, "--dev", str(output)]) == 2
    assert "drafted.jsonl holds 2 drafted questions, and dev is for questions of people" in capsys.readouterr().err


def test_a_model_that_writes_no_question_leaves_an_empty_file(
    documents: Path, tiny_llama_folder: Path, tmp_path: Path, capsys: Shown
) -> None:
    output = tmp_path / "drafted.jsonl"
    assert questions(documents, tiny_llama_folder, output, "--number", 1) == 0
    assert output.read_text() == ""
    assert "0 of 4 drafted questions kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "more", "reason"),
    [
        ("x.csv", (), "--output must end with .jsonl, not 'x.csv'"),
        ("x.jsonl", ("--engine-url", "http://127.0.0.1:9/v1"), "the exported folder is the --backbone"),
        ("x.jsonl", ("--number", 0), "--number must be a whole number above 0"),
        ("/none/x.jsonl", (), "cannot be written"),
        ("ferry.txt.jsonl", (), "is there already, and may hold what you have checked"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    documents: Path,
    tiny_llama_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Shown,
    output: str,
    more: tuple[object, ...],
    reason: str,
) -> None:
    monkeypatch.chdir(documents.parent)
    Path("ferry.txt.jsonl").write_text("{}")
    assert questions(documents, tiny_llama_folder, output, *more) == 2
    out, err = capsys.readouterr()
    assert (out, reason in err.splitlines()[-1]) == ("", True)
    assert Path("ferry.txt.jsonl").read_text() == "{}"


def test_an_index_has_no_passages_to_draft_from(documents: Path, tmp_path: Path, capsys: Shown) -> None:
    assert main(["index", str(documents), "--output", str(tmp_path / "index")]) == 0
    assert questions(tmp_path / "index", tmp_path, tmp_path / "x.jsonl") == 2
    assert "drafted from files or folders, not from an index" in capsys.readouterr().err
