"""The registry of commands: one file and one line each."""

import io
import json
import sys
from pathlib import Path

import pytest

from spring import __version__
from spring.cli.main import COMMANDS, main
from spring.models.virtual_tokens import VirtualTokens
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


@pytest.mark.parametrize("arguments", [("read",), ("index", "documents", "--output"), ("tokens", "convert", "t.pt")])
def test_an_empty_path_is_told_in_one_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([*arguments, ""])
    told = capsys.readouterr().err
    assert "the name is empty" in told
    assert told.count("\n") == 1


def test_what_the_system_refuses_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "x.pt")

    path = tmp_path / "x.pt"
    path.touch()
    monkeypatch.setattr(VirtualTokens, "load", refuse)
    assert main(["tokens", "show", str(path)]) == 2
    assert capsys.readouterr() == ("", "spring: Permission denied: 'x.pt'\n")


@pytest.mark.usefixtures("reading_child")
def test_what_the_terminal_cannot_show_is_escaped_as_in_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, path = io.BytesIO(), tmp_path / "lamp.txt"
    path.write_text("Une lampe \N{FIRE}", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, "ascii"))
    assert main(["search", "Où est la lampe ?", "--documents", str(path), "--json"]) == 0
    found = json.loads(printed.getvalue())
    assert (found["question"], found["hits"][0]["text"]) == ("Où est la lampe ?", "Une lampe \N{FIRE}")
