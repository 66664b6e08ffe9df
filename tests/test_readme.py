"""What README tells people to type works."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.model
@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith(".venv/bin/python -m spring")])
def test_commands_run(command):
    arguments = shlex.split(command)[1:]
    if "--resume" in arguments:  # else it goes on with the run of an earlier test, of another state of the code
        shutil.rmtree(ROOT / arguments[arguments.index("--output") + 1].replace(".safetensors", ".run"), True)
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("target", sorted({word for c in COMMANDS if c.startswith("make ") for word in c.split()[1:2]}))
def test_make_targets_exist(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m (benchmarks\.\w+)", README))))
def test_benchmarks_named_in_readme_start(module, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        importlib.import_module(module).main()
    assert "usage:" in capsys.readouterr().out


def test_files_and_pictures_named_in_readme_exist():
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_variables_in_the_table_are_those_read():
    from spring.settings import AppSettings

    source = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "spring").rglob("*.py")))
    assert set(re.findall(r"`(SPRING_\w+)`", README)) == set(re.findall(r"SPRING_[A-Z_]+", source))
    assert AppSettings.from_environment({}).backbone in README
    assert os.environ.get("SPRING_BACKBONE") is None  # else the other tests use another model
