"""The folder of a Space: what is in it, what its checks refuse, and that it starts where `spaces` is installed."""

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import SpaceCard

from spring.models.bundled import cache_folder
from spring.models.catalog import KNOWN_BACKBONES
from spring.settings import DEFAULT_BACKBONE
from tools.space import build, card_faults, file_faults
from tools.trial import start


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "space"
    build(folder)
    return folder


@pytest.fixture
def folder(built: Path) -> Iterator[Path]:
    """The same, for tests that change its card or add files: both are put back, as copying takes longer."""
    card, files = (built / "README.md").read_bytes(), {*built.rglob("*")}
    yield built
    (built / "README.md").write_bytes(card)
    for added in {*built.rglob("*")} - files:
        added.unlink()


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "space"))


def test_the_folder_has_what_a_space_runs_and_nothing_else(built: Path) -> None:
    assert {path.name for path in built.iterdir()} == {
        ".gitattributes", "LICENSE", "README.md", "app.py", "corpora", "docs", "requirements.txt", "spring",
        "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples",
    }  # fmt: skip
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", (built / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (built / link).exists()] == []
    assert (built / "spring" / "models" / "tokens" / "smollm2-135m-instruct.safetensors").stat().st_size > 100_000
    assert len(list(built.glob("corpora/*/questions.jsonl"))) == 3
    assert not list(built.rglob("__pycache__"))


def test_the_front_matter_and_the_files_are_in_order(built: Path) -> None:
    assert card_faults(built) == []
    assert file_faults(built) == []


def test_every_binary_file_is_in_lfs(built: Path) -> None:
    patterns = [line.split()[0] for line in (built / ".gitattributes").read_text().splitlines()]
    binary = {path for path in built.rglob("*") if path.is_file() and b"\0" in path.read_bytes()}
    assert binary
    assert {path for path in binary if not any(path.match(pattern) for pattern in patterns)} == set()


def test_the_card_of_a_named_space_has_its_picture(tmp_path: Path) -> None:
    build(tmp_path, "someone/spring-live")
    card = SpaceCard.load(tmp_path / "README.md")
    assert card.data["thumbnail"] == "https://huggingface.co/spaces/someone/spring-live/resolve/main/docs/page.png"
    assert card_faults(tmp_path) == []
    assert "# SPRING Live" in card.text


@pytest.mark.parametrize(
    ("key", "value"),
    [("app_port", 7860), ("base_path", "/"), ("language", "en"), ("hf_oauth_authorized_org", ["one"])],
)
def test_what_a_space_may_have_is_no_fault(folder: Path, key: str, value: object) -> None:
    card = SpaceCard.load(folder / "README.md")
    card.data[key] = value
    card.save(folder / "README.md")
    assert card_faults(folder) == []


def test_of_the_preloaded_model_the_files_that_are_read_are_named(built: Path) -> None:
    (preloaded,) = SpaceCard.load(built / "README.md").data["preload_from_hub"]
    repository, files = preloaded.split()
    assert repository == KNOWN_BACKBONES[DEFAULT_BACKBONE].hub_id
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files.split(","))
    assert not any("/" in file for file in files.split(","))  # the onnx folder is larger than the model


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("sdk", "docker", "sdk must be gradio, not docker"),
        ("sdk_version", "6.1.0", "requirements.txt does not allow Gradio 6.1.0"),
        ("sdk_version", "6.20.0", "6.20.0, but"),
        ("python_version", 3.12, "python_version must be a quoted"),
        ("app_file", "main.py", "app_file main.py is not in the folder"),
        ("colorTo", "turquoise", "colorFrom and colorTo must be of"),
        ("emoji", "S", "emoji must be an emoji"),
        ("suggested_hardware", "abacus", "suggested_hardware abacus is none"),
        ("short_description", "x" * 61, "longer than 60"),
        ("thumbnail", "docs/page.png", "thumbnail must be an https address"),
        ("models", ["no//id"], "models: no//id is no id"),
        ("models", "one/model", "models must be a list of texts"),
        ("tags", [1], "tags must be a list of texts"),
        ("sdk_verson", "6.31.0", "sdk_verson is no key of a Space"),
        ("license", None, "license is missing"),
    ],
)
def test_a_fault_of_the_front_matter_is_told(folder: Path, key: str, value: object, fault: str) -> None:
    card = SpaceCard.load(folder / "README.md")
    card.data[key] = value
    card.save(folder / "README.md")
    assert any(fault in line for line in card_faults(folder))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("spring/large.bin", b"\0" * (10 * 2**20 + 1), "spring/large.bin has 10,485,761 bytes"),
        ("notes.txt", b"my token is hf_" + b"a" * 34, "notes.txt holds b'hf_aaaa"),
        ("key.pem", b"-----BEGIN RSA PRIVATE KEY-----", "key.pem holds b'-----BEGIN RSA PRIVATE KEY"),
        ("run.sh", b"cd /home/someone/space", "run.sh holds b'/home/someone"),
    ],
)
def test_what_should_not_be_pushed_is_told(folder: Path, name: str, content: bytes, fault: str) -> None:
    (folder / name).write_bytes(content)
    assert any(fault in line for line in file_faults(folder))


def test_links_and_missing_parts_are_told(copied: Path) -> None:
    (copied / "link").symlink_to("/etc/hostname")
    for tokens in (copied / "spring" / "models" / "tokens").iterdir():
        tokens.unlink()
    assert file_faults(copied) == ["link is a link.", "spring/models/tokens/*.safetensors is missing."]


@pytest.mark.model
def test_it_starts_and_answers_where_spaces_is_installed_without_zero_gpu(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SPRING_CACHE", str(cache_folder())
    )  # with the default backbone as other tests have converted it
    assert importlib.util.find_spec("spaces") is not None
    assert "Edvard Quillane" in start(copied, Path(sys.executable))
