"""`import spring`: the public names, lazily and typed."""

import ast
import subprocess
import sys
import tomllib
from importlib import import_module
from typing import Any

import pytest

import spring
from tests.conftest import ROOT


def declared() -> dict[str, str]:
    """Module of each name in the TYPE_CHECKING block of `spring/__init__.py`."""
    tree = ast.parse((ROOT / "spring" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    names = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name  # else mypy takes it for a private import
                names[alias.name] = str(node.module)
    return names


def test_the_typed_names_are_those_at_run_time() -> None:
    assert declared() == spring._MODULE_OF
    assert spring.__all__ == sorted(spring._MODULE_OF)
    assert set(spring.__all__) <= set(dir(spring))


@pytest.mark.parametrize("name", spring.__all__)
def test_a_public_name_is_what_its_module_defines(name: str) -> None:
    value = getattr(spring, name)
    assert value is getattr(import_module(spring._MODULE_OF[name]), name)
    assert value.__module__ == spring._MODULE_OF[name]  # the module that defines it, not one that imports it
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'spring' has no attribute 'sping'"):
        _ = spring.sping  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        from spring import sping  # type: ignore[attr-defined]  # noqa: F401


def test_import_and_data_do_without_torch() -> None:
    code = (
        "import sys, spring\n"
        "assert 'numpy' not in sys.modules and 'importlib.metadata' not in sys.modules\n"
        "spring.read_collection; spring.read_questions; spring.Bm25Retriever; spring.SpringError; spring.compare\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    names: dict[str, Any] = {}
    exec("from spring import *", names)
    assert (names["learn"], names["VirtualTokens"]) == (spring.learn, spring.VirtualTokens)


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert spring.__version__ == project["version"]
