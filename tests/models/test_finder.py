"""Known backbones: found by name, hub id, revision or folder, and refused in one sentence before their weights."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import torch
from huggingface_hub import errors
from transformers import AutoModelForCausalLM

from spring.cli.main import main
from spring.errors import BackboneError, SpringError, TokenFileError
from spring.generation.engine import load_engine
from spring.models import hub
from spring.models.catalog import KNOWN_BACKBONES, PUBLISHED_REPOSITORY, known_name
from spring.models.finder import Source, find_backbone, find_tokens
from spring.models.virtual_tokens import VirtualTokens
from tests.conftest import one_line

pytestmark = pytest.mark.usefixtures("pt_child")

MISTRAL = KNOWN_BACKBONES["mistral-7b-instruct"]
CHAT = KNOWN_BACKBONES["llama-2-7b-chat"]


def quiet(_: str) -> None:
    """Take a line of the report."""


def answer(status: int) -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("HEAD", "https://huggingface.co/x"))


class Hub:
    """Stands in for the hub at the one function that asks it for a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.revisions = folder, list[str](), list[str | None]()
        self.failure: Exception | None = None

    def add(self, repository: str, file: str, content: bytes = b"{}") -> Path:
        path = self.folder / repository / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def download(self, repository: str, file: str, revision: str | None = None) -> str:
        self.asked.append(f"{repository}/{file}")
        self.revisions.append(revision)
        if self.failure is not None:
            raise self.failure
        path = self.folder / repository / file
        if not path.is_file():
            raise errors.RemoteEntryNotFoundError("404", response=answer(404))
        return str(path)


@pytest.fixture
def fake_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    fake = Hub(tmp_path / "hub")
    monkeypatch.setattr(hub, "hf_hub_download", fake.download)
    monkeypatch.setattr(hub, "get_token", lambda: None)
    return fake


@pytest.fixture(autouse=True)
def no_weights(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here may come to loading weights, but those that load a tiny model."""
    if "tiny_llama_folder" not in request.fixturenames:

        def load(*_: object, **__: object) -> None:
            raise AssertionError("weights were loaded")

        monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)


# --- what a name means ---


@pytest.mark.parametrize(
    "text",
    [
        "mistral-7b-instruct",
        "mistralai/Mistral-7B-Instruct-v0.1",
        "mistral-7b-instruct@v1",
        "mistralai/Mistral-7B-Instruct-v0.1@abc",
    ],
)
def test_a_known_backbone_goes_by_its_name(text: str) -> None:
    assert known_name(text) == "mistral-7b-instruct"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("mistral-7b-instruct", "mistral-7b-instruct"),
        ("Mistral-7B-Instruct-v0.1", "mistral-7b-instruct"),
        ("models--meta-llama--Llama-2-7b-hf/snapshots/0a1b", "llama-2-7b"),
        ("models--someone--else/snapshots/0a1b", "someone/else"),
        ("my-mistral", "my-mistral"),
    ],
)
def test_a_folder_of_a_known_backbone_goes_by_its_name(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    assert known_name(str(tmp_path / folder)) == name


def test_a_known_backbone_is_found_on_the_hub(fake_hub: Hub) -> None:
    fake_hub.add(MISTRAL.hub_id, "config.json")
    assert find_backbone("mistral-7b-instruct", quiet) == Source(MISTRAL.name, MISTRAL.hub_id)


def test_a_revision_is_pinned(fake_hub: Hub) -> None:
    fake_hub.add(MISTRAL.hub_id, "config.json")
    assert find_backbone("mistral-7b-instruct@abc", quiet) == Source(MISTRAL.name, MISTRAL.hub_id, "abc")
    assert fake_hub.revisions == ["abc"]


def test_a_pinned_default_backbone_comes_from_the_hub(fake_hub: Hub) -> None:
    fake_hub.add("HuggingFaceTB/SmolLM2-135M-Instruct", "config.json")
    assert find_backbone("smollm2-135m-instruct@abc", quiet).revision == "abc"


def test_any_other_model_of_the_hub_has_its_id_as_its_name(fake_hub: Hub) -> None:
    fake_hub.add("someone/model", "config.json")
    assert find_backbone("someone/model@v2", quiet) == Source("someone/model", "someone/model", "v2")


def test_a_folder_asks_nothing_of_the_hub(fake_hub: Hub, tmp_path: Path) -> None:
    assert find_backbone(str(tmp_path), quiet) == Source(tmp_path.name, str(tmp_path))
    assert fake_hub.asked == []


# --- virtual tokens ---


def published(width: int = 4096, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.randn(50, width, generator=torch.Generator().manual_seed(1)).to(dtype)


def test_published_tokens_are_found_on_the_hub(fake_hub: Hub) -> None:
    torch.save(published(), fake_hub.add(PUBLISHED_REPOSITORY, MISTRAL.token_file))
    tokens = find_tokens(None, "mistral-7b-instruct", quiet)
    assert tokens is not None
    assert (tokens.backbone, tokens.hidden, len(tokens)) == ("mistral-7b-instruct", 4096, 50)
    assert MISTRAL.token_file in tokens.learned


def test_published_tokens_beside_the_weights_are_taken(fake_hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "Llama-2-7b-chat-hf"
    folder.mkdir()
    torch.save(published(), folder / CHAT.token_file)
    tokens = find_tokens(None, str(folder), quiet)
    assert tokens is not None
    assert tokens.backbone == "llama-2-7b-chat"
    assert fake_hub.asked == []


def test_a_token_file_may_be_the_hubs(fake_hub: Hub) -> None:
    VirtualTokens(published(8), "someone/model", "by hand").save(fake_hub.add("someone/tokens", "a/b.safetensors"))
    tokens = find_tokens("someone/tokens/a/b.safetensors@v3", "someone/model", quiet)
    assert tokens is not None
    assert tokens.learned == "by hand"
    assert fake_hub.revisions == ["v3"]


def test_a_backbone_without_published_tokens_has_none(fake_hub: Hub) -> None:
    assert find_tokens(None, "someone/model", quiet) is None


@pytest.mark.parametrize(("dtype", "parameter"), [(torch.float16, True), (torch.bfloat16, False)])
def test_a_published_style_file_loads_in_every_type(tmp_path: Path, dtype: torch.dtype, parameter: bool) -> None:
    matrix = published(dtype=dtype)
    torch.save(torch.nn.Parameter(matrix) if parameter else matrix, tmp_path / MISTRAL.token_file)
    tokens = find_tokens(tmp_path / MISTRAL.token_file, "mistral-7b-instruct", quiet)
    assert tokens is not None
    assert torch.equal(tokens.embeddings, matrix.float())


# --- what is refused, in one sentence, before any weights ---


def gated(token: str | None) -> Callable[[pytest.MonkeyPatch], Exception]:
    def failure(monkeypatch: pytest.MonkeyPatch) -> Exception:
        monkeypatch.setattr(hub, "get_token", lambda: token)
        return errors.GatedRepoError("403 Client Error\nsecond line", response=answer(403))

    return failure


FAILURES = {
    "gated": (gated(None), "is gated, so open https://huggingface.co/.* accept its terms and set HF_TOKEN"),
    "no access": (gated("hf_x"), "is gated, so open .* ask for access with the account of your HF_TOKEN"),
    "missing": (
        lambda _: errors.RepositoryNotFoundError("401\nmore", response=answer(401)),
        "the hub has no .*, or it is private and needs HF_TOKEN",
    ),
    "revision": (lambda _: errors.RevisionNotFoundError("404\nmore", response=answer(404)), "has no revision"),
    "file": (lambda _: errors.RemoteEntryNotFoundError("404\nmore", response=answer(404)), "has no file"),
    "unreachable": (lambda _: errors.LocalEntryNotFoundError("no\nconnection"), "the hub cannot be reached"),
    "offline": (lambda _: errors.OfflineModeIsEnabled("offline"), "the hub cannot be reached"),
    "timeout": (lambda _: httpx2.ReadTimeout("timed out"), r"could not be read from the hub \(timed out\)"),
    "disk": (lambda _: OSError("No space left on device"), r"\(No space left on device\)"),
    "server": (lambda _: errors.HfHubHTTPError("500 error\nmore", response=answer(500)), r"\(500 error\)"),
}


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("what", ["backbone", "tokens"])
def test_what_cannot_be_had_is_told_with_what_would_work(
    fake_hub: Hub, monkeypatch: pytest.MonkeyPatch, kind: str, what: str
) -> None:
    failure, reason = FAILURES[kind]
    fake_hub.failure = failure(monkeypatch)
    with pytest.raises(SpringError, match=reason) as error:
        find_backbone("llama-2-7b@v1", quiet) if what == "backbone" else find_tokens(None, "llama-2-7b", quiet)
    line = one_line(error)
    assert "llama-2-7b" in line
    assert "smollm2-135m-instruct" in line
    assert len(fake_hub.asked) == 1  # one small file


@pytest.mark.parametrize("name", ["", "@main"])
def test_an_empty_name_is_not_the_current_folder(name: str) -> None:
    with pytest.raises(BackboneError, match="name of the backbone is empty") as error:
        find_backbone(name, quiet)
    one_line(error)


def test_a_name_that_is_no_id_is_refused(fake_hub: Hub) -> None:
    fake_hub.failure = errors.HFValidationError("Repo id must be ...")
    with pytest.raises(BackboneError, match="'no//id' is neither a known name nor an id on the hub") as error:
        find_backbone("no//id", quiet)
    one_line(error)


def test_tokens_of_another_backbone_are_refused_before_anything_is_asked(fake_hub: Hub, tmp_path: Path) -> None:
    torch.save(published(), tmp_path / MISTRAL.token_file)
    with pytest.raises(TokenFileError, match="made for the backbone mistral-7b-instruct, not for llama-2-7b") as error:
        load_engine("llama-2-7b", tmp_path / MISTRAL.token_file, report=quiet)
    one_line(error)
    assert fake_hub.asked == []


def test_tokens_of_another_width_are_refused_before_the_weights(tiny_llama_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_llama_folder, tmp_path / "tiny-llama")
    (Path(folder) / "model.safetensors").unlink()
    torch.save(published(128), tmp_path / "mine.pt")
    with pytest.raises(TokenFileError, match="128 wide, but tiny-llama has a hidden size of 64"):
        load_engine(str(folder), tmp_path / "mine.pt", "fp32", report=quiet)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("no/such/f.pt", "no/such has no file f.pt"),
        ("none.pt", "none.pt"),
        ("", "name of the token file is empty"),
        ("~nobody-here/f.pt", "~nobody-here/f.pt"),
        (f"{'x' * 300}.pt", "xxx.pt: choose"),
    ],
)
def test_a_missing_token_file_is_named(fake_hub: Hub, given: str, named: str) -> None:
    with pytest.raises(TokenFileError, match=named) as error:
        find_tokens(given, "someone/model", quiet)
    one_line(error)


# --- the command ---


def test_the_command_lists_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}))
    files = {
        (MISTRAL.hub_id, "config.json"): index,
        (MISTRAL.hub_id, "model.safetensors.index.json"): index,
        (MISTRAL.hub_id, "1.safetensors"): index,
        (CHAT.hub_id, "config.json"): index,
        (CHAT.hub_id, "model.safetensors"): index,
        (PUBLISHED_REPOSITORY, MISTRAL.token_file): index,
    }
    monkeypatch.setattr("spring.models.finder.cached", lambda repository, file: files.get((repository, file)))
    assert main(["backbones", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(KNOWN_BACKBONES)
    here = {
        name: (row["model_here"], row["tokens_here"])
        for name, row in rows.items()
        if row["tokens_here"] or row["model_here"]
    }
    assert here == {
        "smollm2-135m-instruct": (True, True),
        "mistral-7b-instruct": (False, True),  # one of its two files is missing
        "llama-2-7b-chat": (True, False),
    }
    assert rows["llama-2-13b"]["gated"] is True
    assert main(["backbones"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["mistral-7b-instruct", MISTRAL.hub_id, "14.5", "GB", "6.0", "GB", "no", "no", "yes"]


def test_nothing_of_the_hub_is_in_its_cache_here_but_what_was_fetched(tmp_path: Path) -> None:
    assert hub.cached("someone/model", "config.json") is None
