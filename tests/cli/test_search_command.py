"""`spring search`: JSON and text, nothing that fits, wrong use; and no model is loaded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from spring.cli.main import main
from tests.conftest import ROOT
from tests.support.files import write

pytestmark = pytest.mark.usefixtures("reading_child")


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "lamp.txt").write_text("The lamp burns whale oil.", encoding="utf-8")
    (tmp_path / "ferry.txt").write_text("The ferry sails on Monday with oil.", encoding="utf-8")
    return tmp_path


def test_json(notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = write(notes / "lamp copy.txt", (notes / "lamp.txt").read_bytes())
    paths = str(notes / "lamp.txt"), str(copy), str(notes / "ferry.txt")
    assert main(["search", "Which lamp burns oil?", "--documents", *paths, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "lamp copy.txt: the same file as lamp.txt, which is read once\n"
    found = json.loads(out)
    assert found["question"] == "Which lamp burns oil?"
    assert [(hit["rank"], hit["document"], hit["page"]) for hit in found["hits"]] == [
        (1, "lamp.txt", 1),
        (2, "ferry.txt", 1),
    ]
    first = found["hits"][0]
    assert first.keys() == {"rank", "score", "document", "page", "title", "section", "text", "terms"}
    assert first["score"] > found["hits"][1]["score"] > 0
    assert first["text"] == "The lamp burns whale oil."
    assert first["terms"] == ["lamp", "burns", "oil"]


def test_text_for_people(notes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "oil", "--documents", str(notes), "--passages", "1"]) == 0
    out = capsys.readouterr().out
    assert "[1] lamp.txt, page 1" in out
    assert "whale oil" in out
    assert "[2]" not in out


@pytest.mark.parametrize("question", ["Where is the volcano?", "\udcff volcano"])
def test_nothing_fits(notes: Path, question: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", question, "--documents", str(notes), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"] == []
    assert main(["search", question, "--documents", str(notes)]) == 0
    assert capsys.readouterr().out.startswith("Nothing fits")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["  "], "Please type a question."),
        (["oil", "--passages", "0"], "--passages must be a whole number above 0"),
        (["oil", "--passages", "many"], "--passages must be a whole number above 0"),
        (["oil", "--documents", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_wrong_use_is_one_sentence(
    notes: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    documents = [] if "--documents" in arguments else ["--documents", str(notes)]
    assert main(["search", *arguments, *documents]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert sentence in captured.err
    assert "Traceback" not in captured.err


def test_it_needs_no_torch(notes: Path) -> None:
    code = "import sys; from spring.cli.main import main; main(sys.argv[1:]); print('torch' in sys.modules)"
    arguments = ["search", "oil", "--documents", str(notes)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False\n")
