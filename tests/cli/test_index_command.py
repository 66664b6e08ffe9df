"""`spring index` and the commands that take an index where they take files."""

import json
from pathlib import Path

import pytest

from spring.cli.main import main
from spring.cli.opening import open_corpus

pytestmark = pytest.mark.usefixtures("reading_child")


@pytest.fixture
def index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    rows = [{"id": "l", "contents": "Lamp\nThe lamp burns whale oil."}, {"id": "f", "contents": "Ferry\nIt sails."}, 7]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "same.jsonl").write_bytes((tmp_path / "rows.jsonl").read_bytes())
    paths = str(tmp_path / "rows.jsonl"), str(tmp_path / "same.jsonl")
    assert main(["index", *paths, "--output", str(tmp_path / "index")]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"2 passages of 1 document in {tmp_path / 'index'}.\n"
    assert "1 row skipped: not an object." in captured.err
    assert "same.jsonl: the same file as rows.jsonl, which is read once" in captured.err
    return tmp_path / "index"


def test_search_takes_an_index(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "Which lamp?", "--documents", str(index), "--json"]) == 0
    (hit,) = json.loads(capsys.readouterr().out)["hits"]
    assert (hit["document"], hit["title"], hit["text"]) == ("rows.jsonl", "Lamp", "The lamp burns whale oil.")


def test_what_trains_and_evaluates_takes_it_too(index: Path) -> None:
    retriever, collection = open_corpus([index])
    assert collection.passages == ()
    assert [hit.passage.id for hit in retriever.search("ferry", 3)] == ["f"]
    assert retriever.fingerprint()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["index", "{folder}/missing.txt", "--output", "{folder}/new"], "missing.txt: it does not exist"),
        (["index", "{folder}/rows.jsonl", "--output", "{folder}"], "is no index and not empty"),
        (["index", "{folder}/rows.jsonl", "--output", "{folder}/new\udcff"], "choose a name in UTF-8."),
        (["search", "lamp", "--documents", "{folder}/index", "{folder}/rows.jsonl"], "give it alone"),
    ],
)
def test_wrong_use_is_one_sentence(
    index: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(folder=index.parent) for argument in arguments]) == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
