"""`spring tokens`: a file is shown, and nothing in it steers the terminal; converted and back it is the same."""

import json
from pathlib import Path

import pytest
import torch

from spring.cli.main import main
from spring.models.finder import SHIPPED_TOKENS
from spring.models.virtual_tokens import VirtualTokens
from tests.support.peft_folder import folder_of

pytestmark = pytest.mark.usefixtures("pt_child")

SHIPPED = SHIPPED_TOKENS / "smollm2-135m-instruct.safetensors"
Shown = pytest.CaptureFixture[str]


def refused(capsys: Shown, *arguments: object) -> str:
    """The one line of a command that ends with code 2."""
    assert main(["tokens", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_the_shipped_tokens_are_shown_by_their_backbones_name(capsys: Shown) -> None:
    assert main(["tokens", "show", "smollm2-135m-instruct"]) == 0
    out = capsys.readouterr().out
    for part in (
        "50 of 576 numbers, between the passages and",
        "2,864 questions",
        "0.387 / 0.489",
        "norms",
    ):
        assert part in " ".join(out.split())


def test_json_has_every_norm_and_all_details(capsys: Shown) -> None:
    assert main(["tokens", "show", str(SHIPPED), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    tokens = VirtualTokens.load(SHIPPED)
    assert facts["norms"] == pytest.approx(tokens.embeddings.norm(dim=1).tolist(), abs=1e-3)
    assert {*facts["details"], "figures"} == tokens.details.keys()
    assert facts["figures"][0]["scores"][-1] == {"asked": "k = 50", "exact_match": 0.356, "f1": 0.455}


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path, capsys: Shown) -> None:
    evil = "\x1b]0;owned\x07\x9b31m\r\n\ud800"[:-1]
    path = tmp_path / "evil.safetensors"
    VirtualTokens(torch.ones(2, 4), "model", evil, {evil: evil * 1000}).save(path)
    for options in ([], ["--json"]):
        assert main(["tokens", "show", str(path), *options]) == 0
        assert not {"\x1b", "\x07", "\x9b", "\r"} & set(capsys.readouterr().out)


def test_there_and_back_the_values_are_the_same(tmp_path: Path, capsys: Shown) -> None:
    there, back = tmp_path / "there.pt", tmp_path / "back.safetensors"
    assert main(["tokens", "convert", str(SHIPPED), str(there)]) == 0
    assert "use it with --backbone smollm2-135m-instruct" in capsys.readouterr().err
    assert "give --backbone NAME" in refused(capsys, "convert", there, back)
    assert main(["tokens", "convert", str(there), str(back), "--backbone", "smollm2-135m-instruct"]) == 0
    assert torch.equal(VirtualTokens.load(back).embeddings, VirtualTokens.load(SHIPPED).embeddings)


def test_prompt_tuning_comes_with_a_warning(tmp_path: Path, capsys: Shown) -> None:
    folder, output = folder_of(tmp_path / "adapter"), tmp_path / "tokens.safetensors"
    assert main(["tokens", "convert", str(folder), str(output)]) == 0
    assert "--position front" in capsys.readouterr().err
    assert main(["tokens", "show", str(output)]) == 0
    assert "7 of 64 numbers, before the passages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "output", "reason"),
    [
        (SHIPPED, "adapter", "Tokens are not written for PEFT"),
        (SHIPPED, SHIPPED, "is the source: choose another OUTPUT"),
        (SHIPPED, "/none/tokens.safetensors", "cannot be written"),
        (SHIPPED, "/none/tokens.pt", "cannot be written"),
        ("none.pt", "x.safetensors", "There is no token file none.pt"),
        ("llama-2-7b-nobody", "x.safetensors", "There is no token file llama-2-7b-nobody"),
    ],
)
def test_what_cannot_be_converted_is_told(source: object, output: object, reason: str, capsys: Shown) -> None:
    assert reason in refused(capsys, "convert", source, output)


def test_a_missing_action_is_told_in_one_line(capsys: Shown) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tokens"])
    assert capsys.readouterr().err == (
        "spring tokens: the following arguments are required: ACTION (see spring tokens --help)\n"
    )
