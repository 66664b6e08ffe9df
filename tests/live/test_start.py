"""How the page starts."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.support.imports import HEAVY, imported_by


def test_it_starts_without_torch() -> None:
    # The model has a process of its own.
    loaded = imported_by("spring.web.launch")
    assert "spring.web.layout" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("GRADIO_SERVER_PORT", "http", "GRADIO_SERVER_PORT must be a whole number from 1 to 65535, not 'http'."),
        ("GRADIO_SERVER_NAME", "name.invalid", "The page cannot listen at GRADIO_SERVER_NAME"),
        ("GRADIO_TEMP_DIR", __file__, "File exists"),
    ],
)
def test_a_variable_that_cannot_be_used_ends_it_in_one_line(variable: str, value: str, reason: str) -> None:
    environment = os.environ | {"GRADIO_NUM_PORTS": "1", variable: value}
    done = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert reason in done.stderr
