"""The worked examples of the HTTP API in docs/api.md run against a page."""

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.documentation import API, DOCUMENTED, python_examples, shell_examples


def test_the_example_with_gradio_client_runs(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = [block for block in python_examples() if "gradio_client" in block]
    assert DOCUMENTED in block
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(block.replace(DOCUMENTED, address), names)
    names["client"].close()
    result = names["result"]  # of the tests' random model: its words mean nothing
    assert any("Edvard Quillane" in passage["text"] for passage in result["passages"])
    assert all(answer["new_tokens"] for answer in result["answers"])
    undocumented = [key for key in names["result"] if f"`{key}`" not in API]
    assert undocumented == []


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_with_curl_run(address: str, number: int) -> None:
    assert len(shell_examples()) == 2
    commands = shell_examples()[number].replace(DOCUMENTED, address)
    ended = subprocess.run(["bash", "-euc", commands], cwd=ROOT, capture_output=True, text=True, check=True)
    event, data = ended.stdout.strip().split("\n\n")[-1].split("\n")
    assert event == "event: complete", ended.stdout
    [result] = json.loads(data.removeprefix("data: "))
    assert result["passages"][0]["document"] == "skerl-point-lighthouse.md"
    assert [answer["new_tokens"] for answer in result["answers"]] == [16, 16]
