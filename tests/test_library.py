"""The package as a library: the programs in examples/ and the worked examples of docs/api.md run."""

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spring
from spring.generation.engine import LocalEngine
from spring.rag.library import load_samples
from tests.conftest import ROOT
from tests.support.documentation import API, package_examples

ORLO = ROOT / "corpora" / "orlo-station"
INVENTIONS = ROOT / "corpora" / "everyday-inventions"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, default_engine: LocalEngine, tiny_llama: spring.Backbone) -> None:
    """The models that other tests have loaded: the default engine to ask, the tiny model to learn for."""
    monkeypatch.setattr(spring, "load_engine", lambda: default_engine)
    monkeypatch.setattr(spring, "load_backbone", lambda *_, **__: tiny_llama)
    monkeypatch.chdir(ROOT)


Program = Callable[..., None]


@pytest.fixture
def program(loaded: None, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Run a program of examples/ in this process."""

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")

    return run


def test_compare_asks_a_folder_of_documents_in_15_lines(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    source = (ROOT / "examples" / "compare.py").read_text(encoding="utf-8").splitlines()
    assert len([line for line in source[1:] if line.strip()]) <= 15
    program("compare.py", ORLO / "documents", "Who designed the lighthouse tower at Skerl Point?")
    out = capsys.readouterr().out
    assert "skerl-point-lighthouse.md: 1 page" in out
    assert "[1] skerl-point-lighthouse.md, page 1: " in out
    assert "without virtual tokens: " in out
    assert "with 50 virtual tokens: Edvard Quillane" in out


def test_train_writes_tokens_that_can_be_asked_with(
    program: Program, tmp_path: Path, tiny_llama: spring.Backbone, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "tokens.safetensors"
    program("train.py", INVENTIONS / "questions.jsonl", INVENTIONS / "documents", output)
    tokens = spring.VirtualTokens.load(output)
    assert (len(tokens), tokens.backbone, tokens.learned) == (10, tiny_llama.name, "learned from questions.jsonl")
    start = spring.initial_tokens(tiny_llama, "examples", 10).embeddings
    assert not tokens.embeddings.allclose(start, atol=1e-3)
    assert "10 virtual tokens for tiny-llama, learned in 3 steps" in capsys.readouterr().out


def test_the_worked_examples_run_one_after_the_other(
    loaded: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for block in package_examples():
        exec(compile(block.replace("runs/api", str(tmp_path)), "docs/api.md", "exec"), names)
    out = capsys.readouterr().out
    assert "Edvard Quillane\n" in out
    assert "torch.Size([10, 64])" in out  # of the tiny model
    assert "There are no initial values 'exmaples'" in out


def test_every_public_name_is_documented() -> None:
    assert [name for name in spring.__all__ if not re.search(rf"\b{name}\b", API)] == []


def test_nothing_documented_is_missing() -> None:
    for name in re.findall(r"\bspring\.(\w+)", "\n".join(package_examples())):
        assert name in spring.__all__, name


def test_documents_are_named_by_a_path_or_a_text_or_several() -> None:
    folder = INVENTIONS / "documents"
    whole = spring.read_collection([folder]).passages
    assert whole
    for paths in (folder, str(folder), [str(folder)], iter((str(folder),))):
        assert spring.read_collection(paths).passages == whole
    assert spring.read_questions(str(INVENTIONS / "questions.jsonl")).questions


def test_without_the_sample_collections_there_are_none(tmp_path: Path) -> None:
    assert load_samples(tmp_path / "missing") == load_samples(tmp_path) == []  # as in an installed wheel
