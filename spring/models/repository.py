"""A repository of virtual tokens on the hub: three files.

`tokens.safetensors`; `config.json`, which names it and by whose requests the hub counts downloads
(https://huggingface.co/docs/hub/models-download-stats); and the model card, `README.md`.
"""

import json
from collections.abc import Callable
from pathlib import Path

from spring.errors import TokenFileError
from spring.models.hub import fetch
from spring.models.virtual_tokens import VirtualTokens

CARD, CONFIG, TOKENS = "README.md", "config.json", "tokens.safetensors"
_MOST_CONFIG = 100_000  # bytes
_LONGEST_NAME = 100  # characters


def write_repository(folder: Path, tokens: VirtualTokens, base_model: str, card: str) -> None:
    """Write the three files into a folder, which is made if it is missing.

    Raises:
        TokenFileError: the folder cannot be written, or holds other files.

    """
    config = {
        "format": "spring virtual tokens",
        "token_file": TOKENS,
        "backbone": tokens.backbone,
        "base_model": base_model,
        "virtual_tokens": len(tokens),
        "hidden_size": tokens.hidden,
        "position": "front" if tokens.at_front else "seam",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted({path.name for path in folder.iterdir()} - {CARD, CONFIG, TOKENS})
        if others:
            raise TokenFileError(f"{folder} holds other files ({others[0]}): choose an empty folder.")
        tokens.save(folder / TOKENS)
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (folder / CARD).write_text(card, encoding="utf-8")
    except OSError as error:
        raise TokenFileError(f"{folder} cannot be written ({error.strerror}).") from error


def fetch_tokens(repository: str, revision: str | None, report: Callable[[str], None]) -> Path:
    """The token file of a repository, which its `config.json` names; both are of one commit.

    Args:
        repository: `OWNER/NAME` on the hub.
        revision: a branch, tag or commit; None: the newest.
        report: is called with a line that says which commit it is.

    Raises:
        HubError: a file cannot be fetched.
        TokenFileError: the repository holds no virtual tokens.

    """
    config = fetch(repository, CONFIG, revision)
    name = _token_file(config)
    if name is None:
        raise TokenFileError(
            f"{repository} has no virtual tokens that its {CONFIG} names: give OWNER/NAME/FILE, or another repository."
        )
    commit = config.parent.name if config.parent.parent.name == "snapshots" else revision
    report(f"Fetching the virtual tokens of {repository}{f' at {commit[:12]}' if commit else ''} ...")
    return fetch(repository, name, commit)


def _token_file(config: Path) -> str | None:
    """The file that a configuration names, if it is one that could be ours; it may be anyone's."""
    try:
        if config.stat().st_size > _MOST_CONFIG:
            return None
        given = json.loads(config.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    name = given.get("token_file") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name.endswith(".safetensors") or len(name) >= _LONGEST_NAME:
        return None
    return name if name.isprintable() and not set(name) & {"/", "\\"} else None
