"""Promises about the source that import-linter's layers (pyproject.toml) do not cover, read from its syntax trees."""

import ast
from pathlib import Path

from tests.conftest import ROOT
from tests.support.imports import HEAVY, imported_by

SOURCES = {path.relative_to(ROOT).as_posix(): path for path in [*(ROOT / "spring").rglob("*.py"), ROOT / "app.py"]}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
LIGHT = (
    "spring",
    "spring.cli.main",
    "spring.data.collection",
    "spring.data.questions",
    "spring.data.sandbox.files",
    "spring.evaluation.identity",
    "spring.evaluation.results",
    "spring.generation.comparison",
    "spring.generation.openai.engine",
    "spring.generation.subprocess.client",
    "spring.rag.library",
)


def test_what_needs_no_model_starts_without_torch() -> None:
    loaded = imported_by(*LIGHT)
    assert "spring.rag.bm25" in loaded
    assert not loaded & HEAVY


def test_no_handler_catches_everything() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, name
                caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                assert not {"Exception", "BaseException"} & set(map(ast.unparse, caught)), name


def test_nothing_runs_the_code_of_a_model_or_a_token_file() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert "trust_remote_code" not in options, name
                assert options.get("weights_only", "True") == "True", name
                assert ast.unparse(node.func) != "torch.load" or "weights_only" in options, name
                assert ast.unparse(node.func) not in {"eval", "exec", "pickle.load", "pickle.loads", "os.system"}, name
            assert not (isinstance(node, ast.Constant) and node.value == "trust_remote_code"), name


def test_prompt_strings_are_in_one_module() -> None:
    for name, tree in TREES.items():
        strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert name == "spring/rag/prompt.py" or not any("\nAnswer:" in str(string) for string in strings)


def test_the_sources_are_found() -> None:
    assert {"spring/generation/engine.py", "app.py"} <= set(SOURCES)
    assert all(isinstance(path, Path) and path.is_file() for path in SOURCES.values())
