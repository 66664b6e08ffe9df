"""Find a backbone and its virtual tokens: in a folder, in the package, or on the hub."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spring.errors import BackboneError, TokenFileError
from spring.models.bundled import embedded_model, has_embedded_model
from spring.models.catalog import KNOWN_BACKBONES, PUBLISHED_REPOSITORY, KnownBackbone, known_name
from spring.models.hub import HubError, cached, fetch
from spring.models.peft_folder import is_peft_folder, read_peft
from spring.models.repository import fetch_tokens
from spring.models.virtual_tokens import TOKEN_FILES, VirtualTokens
from spring.settings import DEFAULT_BACKBONE

SHIPPED_TOKENS = Path(__file__).parent / "tokens"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a backbone is loaded from."""

    name: str  # the name that its virtual tokens carry
    place: str  # a folder or a hub id
    revision: str | None = None  # of the hub's repository; None: the newest


def find_backbone(text: str, report: Callable[[str], None]) -> Source:
    """Locate the backbone that a user names; one that can be refused by its smallest file is refused now.

    Args:
        text: a folder, a name of the table, or a hub id; the latter two may end with `@` and a revision.
        report: is called with a line before slow steps.

    Raises:
        BackboneError: there is none, or it cannot be fetched.

    """
    name, folder = known_name(text), os.path.expanduser(text)
    if os.path.isdir(folder):
        return Source(name, folder)
    if not name:
        raise BackboneError(f"The name of the backbone is empty: choose a model folder, or {DEFAULT_BACKBONE}.")
    if text.startswith((".", "/", "~")):
        raise BackboneError(f"There is no model folder {text}: choose another, or the backbone {DEFAULT_BACKBONE}.")
    revision = text.partition("@")[2] or None
    if name == DEFAULT_BACKBONE and revision is None and (embedded := embedded_model(report)) is not None:
        return Source(name, str(embedded))
    known = KNOWN_BACKBONES.get(name)
    source = Source(name, known.hub_id if known else name, revision)
    report(f"Loading {name} from the hub: {source.place} ...")
    try:
        fetch(source.place, "config.json", revision)
    except HubError as error:
        other = "a known backbone (python -m spring backbones)" if name == DEFAULT_BACKBONE else DEFAULT_BACKBONE
        raise BackboneError(
            f"The backbone {name} could not be loaded: {error}; or choose a model folder or {other}."
        ) from error
    return source


def find_tokens(given: str | Path | None, backbone: str, report: Callable[[str], None]) -> VirtualTokens | None:
    """The virtual tokens for a backbone: those given, else those shipped for it, else those published, else None.

    Args:
        given: a file, or `owner/name` or `owner/name/file` on the hub, which may end with `@` and a revision.
        backbone: as the user names it. Published tokens may be in its folder, beside the weights.
        report: is called with a line before slow steps.

    Raises:
        TokenFileError: they cannot be fetched or used, or are another backbone's.

    """
    name = known_name(backbone)
    if given is not None:
        return _checked(VirtualTokens.load(_local(str(given), report), name), name)
    shipped = SHIPPED_TOKENS / f"{name}.safetensors"
    if shipped.is_file():
        return _checked(VirtualTokens.load(shipped), name)
    known = KNOWN_BACKBONES.get(name)
    if known is None or not known.token_file:
        return None
    beside = os.path.join(os.path.expanduser(backbone), known.token_file)
    return VirtualTokens.load(beside if os.path.isfile(beside) else _published(known, report))


def named_tokens(text: str, report: Callable[[str], None], backbone: str | None = None) -> VirtualTokens:
    """The virtual tokens that a name stands for, whatever their backbone.

    Args:
        text: a known backbone, a token file, a folder of PEFT's prompt tuning, or what is on the hub, as `find_tokens`
            takes it.
        report: is called with a line before slow steps.
        backbone: whose tokens they are, where the file does not say it.

    Raises:
        TokenFileError: there are none, or they cannot be fetched or used.

    """
    if text in KNOWN_BACKBONES:
        found = find_tokens(None, text, report)
        if found is None:
            raise TokenFileError(f"No virtual tokens are known for {text}: name a token file.")
        return found
    path = _local(text, report)
    if is_peft_folder(path):
        return read_peft(path, backbone)
    return VirtualTokens.load(path, known_name(backbone) if backbone else None)


def _checked(tokens: VirtualTokens, backbone: str) -> VirtualTokens:
    tokens.require(backbone)
    return tokens


def _local(given: str, report: Callable[[str], None]) -> Path:
    """The path of a token file, fetched if it is on the hub."""
    if not given:
        raise TokenFileError("The name of the token file is empty: choose a .safetensors or .pt file.")
    path = Path(os.path.expanduser(given))
    place, _, revision = given.partition("@")
    owner, _, rest = place.partition("/")
    name, _, file = rest.partition("/")
    a_file = not file and place.endswith(TOKEN_FILES)  # FOLDER/FILE
    here = os.path.exists(path) or os.path.isdir(path.parent)
    if here or given.startswith((".", "/", "~")) or not (owner and name) or a_file:
        return path
    try:
        if not file:
            return fetch_tokens(f"{owner}/{name}", revision or None, report)
        report(f"Fetching the virtual tokens {file} from the hub: {owner}/{name} ...")
        return fetch(f"{owner}/{name}", file, revision or None)
    except HubError as error:
        raise TokenFileError(f"There is no token file {given} here, and {error}.") from error


def _published(known: KnownBackbone, report: Callable[[str], None]) -> Path:
    report(f"Fetching the virtual tokens of {known.name} from the hub: {PUBLISHED_REPOSITORY} ...")
    try:
        return fetch(PUBLISHED_REPOSITORY, known.token_file)
    except HubError as error:
        raise TokenFileError(
            f"The virtual tokens of {known.name} could not be fetched: {error}; or name a copy of {known.token_file} "
            f"as the token file, or choose the backbone {DEFAULT_BACKBONE}."
        ) from error


def model_here(known: KnownBackbone) -> bool:
    """Whether all files of a known backbone are on this machine."""
    if known.name == DEFAULT_BACKBONE and has_embedded_model():
        return True
    if cached(known.hub_id, "config.json") is None:
        return False
    index = cached(known.hub_id, "model.safetensors.index.json")
    shards = set(json.loads(index.read_text())["weight_map"].values()) if index else {"model.safetensors"}
    return all(cached(known.hub_id, shard) for shard in shards)


def tokens_here(known: KnownBackbone) -> bool:
    """Whether virtual tokens for a known backbone are on this machine."""
    if (SHIPPED_TOKENS / f"{known.name}.safetensors").is_file():
        return True
    return bool(known.token_file) and cached(PUBLISHED_REPOSITORY, known.token_file) is not None
