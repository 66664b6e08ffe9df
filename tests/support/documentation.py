"""The worked examples in docs/api.md."""

import re

from tests.conftest import ROOT

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
PACKAGE, _, PAGE = API.partition("## The page's HTTP API")
DOCUMENTED = "http://127.0.0.1:7860/"  # the address in the examples


def package_examples() -> list[str]:
    """Python that uses the package."""
    return _blocks("python", PACKAGE)


def python_examples() -> list[str]:
    """Python that speaks to a running page."""
    return _blocks("python", PAGE)


def shell_examples() -> list[str]:
    """Commands that speak to a running page."""
    return _blocks("bash", PAGE)


def _blocks(language: str, text: str) -> list[str]:
    blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert blocks
    return blocks
