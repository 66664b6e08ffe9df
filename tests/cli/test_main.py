"""The registry of commands: one file and one line each."""

import pytest

from spring import __version__
from spring.cli.main import COMMANDS, main
from tests.conftest import ROOT


def test_every_file_of_a_command_is_registered() -> None:
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "spring" / "cli").glob("*.py")}
    assert {name for name, source in files.items() if "\ndef add_options(" in source} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([name, "--help"])
    help_text = capsys.readouterr().out
    assert help_text.startswith(f"usage: spring {name}")
    assert COMMANDS[name][1:].split(",")[0] in " ".join(help_text.split())


def test_help_lists_the_commands_and_version_names_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--help", "--version"):
        with pytest.raises(SystemExit, match=r"^0$"):
            main([option])
    printed = capsys.readouterr().out
    assert all(f"    {name}" in printed for name in COMMANDS)
    assert printed.endswith(f"spring {__version__}\n")


@pytest.mark.parametrize(("path", "reason"), [("", "the name is empty"), ("x" * 300, "cannot be used: File name too")])
@pytest.mark.parametrize("arguments", [("read",), ("index", "documents", "--output"), ("tokens", "convert", "t.pt")])
def test_a_path_that_can_be_none_is_told_in_one_line(
    arguments: tuple[str, ...], path: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([*arguments, path])
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("\n") == 1
