"""`spring push` and tokens by a repository's name: the true client, against a stand-in of the hub on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants

from spring.cli.main import main
from spring.errors import TokenFileError
from spring.models import hub as hub_module
from spring.models.finder import find_tokens
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import one_line
from tests.support.hub import TOKEN, StandIn, stand_in

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")  # huggingface_hub 2.4 sends `data=`
Shown = pytest.CaptureFixture[str]
FILES = ["README.md", "config.json", "tokens.safetensors"]


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    command = "python -m spring train /home/me/secret/train.jsonl --init '/home/a b/x.pt' --dev ../own/dev.jsonl -o a/b"
    details = {"seed": "1", "command": command}
    VirtualTokens(torch.arange(12.0).reshape(3, 4), "my-model", "by hand", details).save(path)
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, in the place of the hub for huggingface_hub, with a cache of its own."""
    with stand_in() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path / "cache"), raising=False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def push(tokens: Path, *options: object, to: str = "me/tokens") -> int:
    return main(["push", str(tokens), to, "--base-model", "me/my-model", *map(str, options)])


def read(name: str = "me/tokens", backbone: str = "me/my-model") -> VirtualTokens:
    found = find_tokens(name, backbone, lambda line: None)
    assert found is not None
    return found


def test_a_dry_run_writes_three_files_and_sends_nothing(tokens: Path, hub: StandIn, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert push(tokens, "--dry-run", "--output", folder, "--license", "mit") == 0
    assert sorted(path.name for path in folder.iterdir()) == FILES
    config = json.loads((folder / "config.json").read_text())
    assert (config["token_file"], config["base_model"], config["virtual_tokens"]) == (FILES[2], "me/my-model", 3)
    assert ModelCard.load(folder / "README.md").data.base_model == "me/my-model"
    assert hub.asked == []
    card = (folder / "README.md").read_text() + str(VirtualTokens.load(folder / "tokens.safetensors").details)
    assert card.count("spring train train.jsonl") == 2
    assert not [private for private in ("/home", "secret", "own/") if private in card]
    assert push(tokens, "--dry-run", "--output", folder) == 0  # again into the same folder


def test_what_is_pushed_is_found_by_name_and_pinned(tokens: Path, hub: StandIn, capsys: Shown) -> None:
    assert push(tokens) == 0
    assert "names no licence" in capsys.readouterr().err
    [(first, files)] = hub.commits["me/tokens"]
    assert sorted(files) == FILES
    assert ModelCard(files["README.md"].decode()).validate() is None  # asks the stand-in, as the hub is asked
    found = read()
    assert (found.backbone, found.learned, found.embeddings.tolist()) == (
        "me/my-model",
        "by hand",
        torch.arange(12.0).reshape(3, 4).tolist(),
    )
    VirtualTokens(torch.ones(1, 4), "my-model", "anew").save(tokens)
    assert push(tokens) == 0
    assert [read().learned, read(f"me/tokens@{first}").learned] == ["anew", "by hand"]
    assert f"GET /me/tokens/resolve/{first}/tokens.safetensors" in hub.asked  # the commit of its config


def test_the_folder_that_is_sent_can_be_kept_and_a_new_repository_be_private(
    tokens: Path, hub: StandIn, tmp_path: Path
) -> None:
    assert push(tokens, "--output", tmp_path / "kept", "--private") == 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == FILES
    assert hub.created[0]["visibility"] == "private"


def refused(capsys: Shown) -> str:
    """The one line that a command ended with."""
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


def test_what_the_hub_refuses_is_told_in_one_line(
    tokens: Path, hub: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    assert push(tokens, to="somebody-else/tokens") == 2
    assert "the account of your HF_TOKEN may not write to somebody-else/tokens" in refused(capsys)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert push(tokens) == 2
    assert "may not write to me/tokens" in refused(capsys)
    monkeypatch.setattr(hub_module, "get_token", lambda: None)
    assert push(tokens) == 2
    assert "set HF_TOKEN to a token of your account that may write" in refused(capsys)
    assert "hf_" not in "".join(hub.asked)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["me/tokens", "--dry-run"], "name the folder with --output"),
        (["tokens"], "'tokens' is no name on the hub: give OWNER/NAME"),
        (["../x"], "is no name on the hub"),
        (["me/a/b"], "is no name on the hub"),
        (["me/tokens", "--base-model", "x"], "name the model that the tokens belong to with --base-model"),
        (["me/tokens", "--base-model", "a/b", "--dataset", "x y", "--dry-run", "--output", "o"], "is no name on the"),
        (["me/tokens", "--base-model", "a/b", "--dry-run", "--output", "/proc/none"], "cannot be written"),
        (["me/tokens", "--base-model", "a/b", "--dry-run", "--output", "/usr"], "/usr holds other files"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str, capsys: Shown
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["push", str(tokens), *arguments]) == 2
    assert reason in refused(capsys)


NAMES = (3, "../../x.safetensors", "x.pt", "a\x1b.safetensors", "x" * 100 + ".safetensors")
CONFIGS = ["", "[" * 100_000, "[]", " " * 100_001, *(json.dumps({"token_file": name}) for name in NAMES)]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_repository_of_something_else_is_refused(hub: StandIn, config: str) -> None:
    hub.commits["some/model"] = [("0" * 40, {"config.json": config.encode()})]
    with pytest.raises(TokenFileError, match=r"has no virtual tokens that its config\.json names") as error:
        read("some/model")
    one_line(error)


@pytest.mark.parametrize(
    ("name", "reason"), [("no/one", "the hub has no no/one"), ("me/tokens@nine", "me/tokens has no revision nine")]
)
def test_what_is_not_there_is_told_in_one_line(tokens: Path, hub: StandIn, name: str, reason: str) -> None:
    assert push(tokens) == 0
    with pytest.raises(TokenFileError, match=f"There is no token file {name} here, and {reason}") as error:
        read(name)
    one_line(error)
