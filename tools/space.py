"""Build the folder of a Hugging Face Space, check it, and start it: `python -m tools.space [--start]`.

    make space [SPACE=owner/name]     # builds, checks, installs into an environment of its own, starts, asks once
    hf upload owner/name out/space . --repo-type space

The Hub's own check of the front matter (`RepoCard.validate`) needs the Hub. What is checked without it: what
`huggingface_hub` knows of the schema (`SpaceCardData`, the names of hardware, the form of repository ids) and what
https://huggingface.co/docs/hub/spaces-config-reference says of each key.
"""

import argparse
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from huggingface_hub import SpaceCard, SpaceCardData, SpaceHardware
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from packaging.requirements import Requirement

from tools.trial import environment, start

ROOT = Path(__file__).parent.parent
PARTS = ("app.py", "LICENSE", "requirements.txt", "spring", "corpora", ":(glob)*.md", "docs", "examples")
LARGEST_FILE, LARGEST_FOLDER = 10 * 2**20, 50 * 2**20  # the Hub takes larger ones in LFS alone
BINARY = ("*.docx", "*.gif", "*.pdf", "*.png", "*.safetensors")
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
REQUIRED = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "license"}
OPTIONAL = {"suggested_hardware", "short_description", "models", "datasets", "preload_from_hub", "tags", "thumbnail"}
OPTIONAL |= {"pinned", "header", "startup_duration_timeout", "disable_embedding", "fullWidth", "hf_oauth"}
OPTIONAL |= {"app_port", "base_path", "custom_headers", "language"}
OPTIONAL |= {"hf_oauth_scopes", "hf_oauth_expiration_minutes", "hf_oauth_authorized_org"}
LONGEST_DESCRIPTION = 60
SECRETS = re.compile(rb"hf_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY|/(?:home|root)/\w+")


def build(folder: Path, space: str | None = None) -> list[Path]:
    """Write what is pushed: the tracked files of the parts. With the Space's id the card gets its picture.

    Returns:
        The files, relative to the folder.

    """
    listed = subprocess.run(["git", "ls-files", "-z", *PARTS], cwd=ROOT, capture_output=True, check=True, text=True)
    shutil.rmtree(folder, ignore_errors=True)
    files = [Path(name) for name in listed.stdout.split("\0") if name]
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, folder / file)
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in BINARY)
    (folder / ".gitattributes").write_text(attributes)  # the Hub refuses binary files that are not in LFS
    if space:
        card = SpaceCard.load(folder / "README.md")
        card.data["thumbnail"] = f"https://huggingface.co/spaces/{space}/resolve/main/docs/page.png"
        card.save(folder / "README.md")
    return [*files, Path(".gitattributes")]


def card_faults(folder: Path) -> list[str]:
    """What is wrong with the front matter of README.md, a sentence each."""
    card = SpaceCard.load(folder / "README.md")
    data = card.data.to_dict()
    faults = [f"{key} is missing." for key in sorted(REQUIRED - set(data))]
    faults += [f"{key} is no key of a Space." for key in sorted(set(data) - REQUIRED - OPTIONAL)]
    if not isinstance(card.data, SpaceCardData) or data.get("sdk") != "gradio":
        faults.append(f"sdk must be gradio, not {data.get('sdk')}.")
    if data.get("sdk_version") != version("gradio"):
        faults.append(f"sdk_version is {data.get('sdk_version')}, but {version('gradio')} is what was tried here.")
    if not Requirement(_required(folder, "gradio")).specifier.contains(str(data.get("sdk_version"))):
        faults.append(f"requirements.txt does not allow Gradio {data.get('sdk_version')}.")
    if not re.fullmatch(r"3\.\d+(\.\d+)?", str(data.get("python_version"))) or not isinstance(
        data["python_version"], str
    ):
        faults.append("python_version must be a quoted 3.x or 3.x.x.")
    if not (folder / str(data.get("app_file"))).is_file():
        faults.append(f"app_file {data.get('app_file')} is not in the folder.")
    if not {data.get("colorFrom"), data.get("colorTo")} <= COLOURS:
        faults.append(f"colorFrom and colorTo must be of {', '.join(sorted(COLOURS))}.")
    if re.search(r"\w", str(data.get("emoji"))):
        faults.append("emoji must be an emoji.")
    if data.get("suggested_hardware", "cpu-basic") not in {hardware.value for hardware in SpaceHardware}:
        faults.append(f"suggested_hardware {data['suggested_hardware']} is none that Spaces have.")
    if len(str(data.get("short_description", ""))) > LONGEST_DESCRIPTION:
        faults.append(f"short_description is longer than {LONGEST_DESCRIPTION} characters.")
    if not str(data.get("thumbnail", "https://")).startswith("https://"):
        faults.append("thumbnail must be an https address.")
    for key in ("models", "datasets", "preload_from_hub", "tags"):
        faults += _list_faults(key, data.get(key, []))
    return faults


def _list_faults(key: str, values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        return [f"{key} must be a list of texts."]
    if key == "tags":
        return []
    faults = []
    for value in values:
        try:
            validate_repo_id(value.split()[0])
        except HFValidationError:
            faults.append(f"{key}: {value} is no id of a repository.")
    return faults


def _required(folder: Path, package: str) -> str:
    lines = (line.partition("#")[0].strip() for line in (folder / "requirements.txt").read_text().splitlines())
    return next(line for line in lines if line and Requirement(line).name == package)


def file_faults(folder: Path) -> list[str]:
    """What should not be pushed: large files, secrets, links; and what must be there and is not."""
    faults, total = [], 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink():
            faults.append(f"{name} is a link.")
        elif path.is_file():
            data = path.read_bytes()
            total += len(data)
            if len(data) > LARGEST_FILE:
                faults.append(f"{name} has {len(data):,} bytes.")
            if found := SECRETS.search(data):
                faults.append(f"{name} holds {found[0][:40]!r}.")
    if total > LARGEST_FOLDER:
        faults.append(f"The folder has {total:,} bytes.")
    for pattern in ("spring/models/tokens/*.safetensors", "corpora/*/questions.jsonl", "corpora/*/documents/*"):
        if not list(folder.glob(pattern)):
            faults.append(f"{pattern} is missing.")
    return faults


def main() -> None:
    """Build, check, start."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", metavar="OWNER/NAME", help="the Space's id, for the picture in its card")
    parser.add_argument("--start", action="store_true", help="also start it from an environment of its own")
    options = parser.parse_args()
    folder = ROOT / "out" / "space"
    files = build(folder, options.space or None)
    faults = card_faults(folder) + file_faults(folder)
    if faults:
        raise SystemExit("\n".join(faults))
    total = sum((folder / file).stat().st_size for file in files)
    print(f"{folder}: {len(files)} files, {total / 1e6:.1f} MB; the front matter and the files are in order.")
    if options.start:
        answer = start(folder, environment(folder, ROOT / "out" / "space-venv"))
        print(f"It starts in an environment of its own, the page is served, and it answers: {answer}")


if __name__ == "__main__":
    main()
