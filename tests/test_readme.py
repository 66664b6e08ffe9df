"""What README and docs/ tell people to type works, and what they say of variables and files is true."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from spring.cli import main as cli
from spring.settings import AppSettings

ROOT = Path(__file__).parent.parent
PAGES = {path.relative_to(ROOT).as_posix(): path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
README = TEXTS["README.md"]
ALL = "\n".join(TEXTS.values())
BLOCKS = re.findall(r"```bash\n(.*?)```", ALL, re.DOTALL)
COMMANDS = [line.strip() for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


@pytest.mark.model
@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(".venv/bin/python -m spring")])
def test_commands_run(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(command)[3:]
    if "--resume" in arguments:  # else it continues the run of an earlier test, of another state of the code
        shutil.rmtree(ROOT / arguments[arguments.index("--output") + 1].replace(".safetensors", ".run"), True)
    monkeypatch.chdir(ROOT)
    assert cli.main(arguments) == 0  # in this process, which has imported torch already; test_cli.py has the real one
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("target", sorted({*re.findall(r"`?\bmake ([a-z-]+)\b[^`\n]*`", ALL), "demo", "test"}))
def test_make_targets_exist(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ((?:benchmarks|tools)\.\w+)", ALL))))
def test_programs_named_in_the_documentation_start(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        importlib.import_module(module).main()
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links_to_files_and_headings_exist(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", TEXTS[name]):
        path, _, heading = target.partition("#")
        found = (PAGES[name].parent / path).resolve() if path else PAGES[name]
        assert found.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w\s-]", "", text.lower()).strip().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_files_of_the_project_that_are_named_exist(name: str) -> None:
    for path in re.findall(r"`([\w./-]+/[\w./-]*\.(?:py|md|css|toml|yml|svg|safetensors|jsonl|cff))`", TEXTS[name]):
        assert "NAME" in path or (ROOT / path).exists() or (ROOT / "spring" / path).exists(), path


def documented() -> dict[str, str]:
    """Variable and default of each row of the table in docs/environment.md."""
    rows = re.findall(r"^\| `(SPRING_\w+)` \|.*\| ([^|]*) \|$", TEXTS["docs/environment.md"], re.MULTILINE)
    assert len(rows) == len(dict(rows))
    return dict(rows)


def test_the_variables_in_the_table_are_those_that_are_read() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "spring").rglob("*.py")))
    assert set(documented()) == set(re.findall(r"SPRING_[A-Z_]+", source))
    assert os.environ.get("SPRING_BACKBONE") is None  # else the other tests use another model


def test_the_defaults_in_the_table_are_those_of_the_settings() -> None:
    settings, table = AppSettings(), documented()
    for field in fields(AppSettings):
        name, value = field.metadata["variable"], getattr(settings, field.name)
        if name.startswith("SPRING_") and value is not None:
            assert table[name] == (str(value) if value else "none"), name


def test_no_page_names_a_variable_that_is_not_read() -> None:
    assert set(re.findall(r"SPRING_[A-Z_]+", ALL)) <= set(documented())
