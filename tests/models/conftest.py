"""One child process for all tests of a module that read `.pt` files: it imports torch, which takes seconds."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest

from spring.data.sandbox.parent import Sandbox
from spring.models import token_files
from spring.models.token_files import PT_LIMITS


@pytest.fixture(scope="module")
def _child() -> Iterator[Sandbox]:
    """Starts with the first file, and again after a file that ended it."""
    with Sandbox("spring.models.plain_tensor:pt_job", replace(PT_LIMITS, upload_seconds=3600)) as child:
        yield child


@pytest.fixture
def pt_child(_child: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be read in the same child."""
    monkeypatch.setattr(token_files, "Sandbox", lambda job, limits: nullcontext(_child))
