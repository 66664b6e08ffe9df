"""The notebook of examples/ runs from its first cell to its last, on a tiny set, and is kept without outputs."""

import json
import socket
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import FERRY, KITES, MAST, QUESTION, ROOT

NOTEBOOK = ROOT / "examples" / "own-tokens.ipynb"
PLACEHOLDER = "OWNER/REPOSITORY"
MOST_OUTPUT = 200_000  # characters; the curve is most of it


def free_port() -> int:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        return int(given.getsockname()[1])


def outputs(notebook: Any) -> list[str]:
    """What each cell has written."""
    return [json.dumps(cell.get("outputs", [])) for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(needs_model: None, tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The outputs of all cells, with other parameters and in a kernel of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "documents").mkdir()
    for place, text in enumerate((FERRY, MAST, KITES)):
        (folder / "documents" / f"{place}.txt").write_text(text)
    rows = [(QUESTION, "nine"), ("How high is the radio mast?", "ninety metres"), ("What does a child get?", "a bun")]
    rows_as_json = [json.dumps({"question": question, "golden_answers": [answer]}) for question, answer in rows]
    (folder / "questions.jsonl").write_text("\n".join(rows_as_json))
    values = {
        "DOCUMENTS": "documents",
        "QUESTIONS": "questions.jsonl",
        "BACKBONE": str(tiny_llama_folder),
        "PRECISION": "fp32",
        "TOKENS": 5,
        "EPOCHS": 2,
        "FOLDER": "out",
    }
    notebook = nbformat.read(NOTEBOOK, 4)
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    given = dict(line.partition("#")[0].split(" = ") for line in parameters.source.splitlines())
    assert {name.strip() for name in given} == set(values)
    parameters.source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    path = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); os.environ['HF_HUB_OFFLINE'] = '1'\n"
    notebook.cells[1].source = path + notebook.cells[1].source
    for cell in notebook.cells:
        cell.source = cell.source.replace("7861", str(free_port())) if "launch(" in cell.source else cell.source
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder)}}).execute()
    return outputs(notebook)


def test_it_goes_from_documents_to_tokens_the_curve_and_the_page(executed: list[str]) -> None:
    setup, parameters, read, learn, curve, ask, page, end = executed
    assert setup == parameters == end == "[]"
    assert "3 passages, 3 questions." in read
    assert "5 virtual tokens for tiny-llama, learned from train.jsonl (2 questions" in learn
    assert "in words (examples)" in learn
    assert "Training of virtual tokens" in curve
    assert "with 5 virtual tokens" in ask
    assert "http://127.0.0.1:" in page


def test_what_it_writes_is_small(executed: list[str]) -> None:
    assert sum(map(len, executed)) < MOST_OUTPUT


def test_it_is_kept_without_outputs_and_names_the_repository_in_one_place() -> None:
    notebook = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(notebook)
    assert set(outputs(notebook)) == {"[]"}
    assert [PLACEHOLDER in cell.source for cell in notebook.cells].index(True) == 0
    assert sum(PLACEHOLDER in cell.source for cell in notebook.cells) == 2  # the link, and what it fetches
    assert (
        f"colab.research.google.com/github/{PLACEHOLDER}/blob/main/examples/{NOTEBOOK.name}" in notebook.cells[0].source
    )
