"""The worked example of the HTTP API in docs/api.md runs against a page."""

import re
from typing import Any

import pytest

from tests.conftest import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_worked_example_of_the_http_api_runs(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", API, re.DOTALL) if "gradio_client" in block)
    assert "http://127.0.0.1:7860/" in block
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {}
    exec(block.replace("http://127.0.0.1:7860/", address), names)
    names["client"].close()
    result = names["result"]  # of the tests' random model: its words mean nothing
    assert any("Edvard Quillane" in passage["text"] for passage in result["passages"])
    assert all(answer["new_tokens"] for answer in result["answers"])
    undocumented = [key for key in names["result"] if f"`{key}`" not in API]
    assert undocumented == []
