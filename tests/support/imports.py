"""What importing a module brings along."""

import subprocess
import sys

from tests.conftest import ROOT

HEAVY = {"torch", "transformers", "bitsandbytes"}  # take seconds


def imported_by(*names: str) -> set[str]:
    """All modules that a fresh process has when it has imported these."""
    code = f"import sys, importlib\nfor name in {names!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())
