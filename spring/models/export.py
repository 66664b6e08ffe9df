"""Export a backbone with its virtual tokens as a model folder that any server loads, with `spring.json`.

A request names the tokens by their ids: one server answers every k, with its own batches and cache.
"""

import hashlib
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from string import Template

from safetensors import SafetensorError
from tokenizers import AddedToken
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from spring.errors import BackboneError, PromptError
from spring.models.export_check import Checked, check_loaded, check_rows
from spring.models.export_weights import TORCH_TYPES, OwnWeights, own_weights, tensors_with_tokens
from spring.models.finder import Source, find_backbone, find_tokens
from spring.models.manifest import ChatFrame, Manifest, write_manifest
from spring.models.tokenization import Tokenization
from spring.models.virtual_tokens import VirtualTokens, describe
from spring.models.weight_files import SHARD_BYTES, write_model

SPARE = 2**28  # bytes that are left on the disk


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and what was found when it was checked."""

    first: int  # the first added id
    number: int
    bytes: int  # of the weights
    checked: Checked | None  # None: there was no memory to load it


def export_model(
    backbone: str,
    tokens: str | Path | None,
    output: Path,
    report: Callable[[str], None],
    shard_bytes: int = SHARD_BYTES,
) -> Exported:
    """Write the folder; it appears complete and checked, or not at all.

    Args:
        backbone: a name of the table, a hub id, or a folder.
        tokens: a token file, or None for those shipped or published.
        output: the folder to make; it may be there if it is empty.
        report: is called with a line before slow steps.
        shard_bytes: most bytes of a weights file.

    Raises:
        BackboneError: the backbone cannot be found, read or exported, or the disk is full.
        TokenFileError: the tokens cannot be found, or are another backbone's.

    """
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise BackboneError(f"{output} is there already: name another folder.")
    learned = find_tokens(tokens, backbone, report)
    if learned is None:
        raise BackboneError(f"There are no learned tokens for {backbone}: name a token file with --tokens.")
    source = find_backbone(backbone, report)
    try:
        own = own_weights(source)
        learned.require(source.name, own.embeddings.shape[1])
        output.parent.mkdir(parents=True, exist_ok=True)
        _require_room(output.parent, own, len(learned))
        work = Path(tempfile.mkdtemp(prefix=".exporting-", dir=output.parent))
        try:
            result = _write(work, source, own, learned, backbone, report, shard_bytes)
            work.chmod(0o755)
            work.rename(output)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise BackboneError(f"{source.name} could not be exported to {output} ({reason}).") from error
    return result


def _require_room(parent: Path, own: OwnWeights, n: int) -> None:
    needed = sum(tensor.size for tensor in own.tensors.values()) + own.head.size + SPARE
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise BackboneError(
            f"The export takes up to {needed / 1e9:.1f} GB, but {parent.absolute()} has {free / 1e9:.1f} GB free: "
            "name a folder on another disk."
        )


def _write(
    folder: Path,
    source: Source,
    own: OwnWeights,
    tokens: VirtualTokens,
    backbone: str,
    report: Callable[[str], None],
    shard_bytes: int,
) -> Exported:
    revision = {"revision": source.revision} if source.revision else {}
    tokenizer = AutoTokenizer.from_pretrained(source.place, **revision)
    ids = _with_names(source.name, tokenizer, own.rows, len(tokens))
    report(f"Writing {source.name} with {len(tokens)} virtual tokens ...")
    tensors = tensors_with_tokens(own, tokens)
    written = write_model(folder, tensors, shard_bytes)
    (folder / "config.json").write_text(json.dumps(_config(own, len(tokens)), indent=1), encoding="utf-8")
    tokenizer.save_pretrained(folder)
    plain = AutoTokenizer.from_pretrained(source.place, split_special_tokens=True, **revision)
    tokenization = Tokenization(source.name, plain)
    eos = _write_generation_config(folder, source, tokenization)
    report("Comparing the written weights with the backbone's ...")
    weights = check_rows(own, written)
    stored = TORCH_TYPES[own.embeddings.dtype]
    rounded = replace(tokens, embeddings=tokens.embeddings.to(stored))
    checked = check_loaded(backbone, rounded, folder, ids[0], report)
    manifest = Manifest(
        backbone=source.name,
        learned=tokens.learned,
        hidden=tokens.hidden,
        virtual_token_ids=tuple(ids),
        eos_ids=tuple(sorted(eos)),
        bos_id=plain.bos_token_id,
        context_length=own.context_length,
        at_front=tokens.at_front,
        stored=own.embeddings.dtype,
        weights=weights,
        tokenizer=hashlib.sha256(plain.backend_tokenizer.to_str().encode() + b"\0").hexdigest(),
        tokenizer_file=hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest(),
        token_file=hashlib.sha256(tokens.embeddings.numpy().tobytes()).hexdigest(),
        chat=_chat_frame(tokenization),
        chat_template=str(plain.chat_template or ""),
        probes=checked.probes if checked else (),
    )
    write_manifest(folder, manifest)
    _write_readme(folder, manifest, tokens)
    return Exported(ids[0], len(ids), sum(tensor.size for tensor in tensors), checked)


def _with_names(name: str, tokenizer: PreTrainedTokenizerBase, rows: int, n: int) -> range:
    """Name the added ids in a tokenizer by words that no text contains; return them.

    Rows of the embeddings that the tokenizer does not use get names too, as ids are numbered without gaps.
    """
    word = secrets.token_hex(16)
    names = [f"[unused {word} {id}]" for id in range(len(tokenizer), rows)] + [f"[spring {word} {i}]" for i in range(n)]
    added = [AddedToken(content, normalized=False, special=True) for content in names]
    tokenizer.add_tokens(added, special_tokens=True)
    ids = [tokenizer.convert_tokens_to_ids(content) for content in names[-n:]]
    if ids != list(range(rows, rows + n)):
        raise BackboneError(
            f"{name} cannot be exported: the ids of its tokenizer have gaps, or its embeddings lack rows for some."
        )
    return range(rows, rows + n)


def _config(own: OwnWeights, n: int) -> dict[str, object]:
    """The backbone's config.json with the larger vocabulary and an output layer of its own."""
    changed = {"vocab_size": own.rows + n, "tie_word_embeddings": False}
    config = own.config | changed
    if isinstance(text := config.get("text_config"), dict):
        config["text_config"] = text | changed
    return config


def _write_generation_config(folder: Path, source: Source, tokenization: Tokenization) -> frozenset[int]:
    """The ids that begin and end; no sampling, which a server would apply to all requests. Returns the ids that end."""
    try:
        own = GenerationConfig.from_pretrained(source.place, revision=source.revision or "main")
    except OSError:
        own = GenerationConfig()
    tokenizer = tokenization.tokenizer
    eos = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    ids = frozenset() if eos is None else frozenset([eos] if isinstance(eos, int) else eos)
    GenerationConfig(
        bos_token_id=own.bos_token_id, eos_token_id=sorted(ids) or None, pad_token_id=own.pad_token_id
    ).save_pretrained(folder)
    return ids


def _chat_frame(tokenization: Tokenization) -> ChatFrame | None:
    try:
        head, tail = tokenization.chat_frame
    except PromptError:
        return None
    return ChatFrame(tuple(head), tuple(tail))


def _write_readme(folder: Path, manifest: Manifest, tokens: VirtualTokens) -> None:
    text = files("spring.models").joinpath("exported_readme.md").read_text(encoding="utf-8")
    values = {
        "backbone": manifest.backbone,
        "tokens": describe(tokens),
        "number": len(tokens),
        "first": manifest.virtual_token_ids[0],
        "last": manifest.virtual_token_ids[-1],
        "context": manifest.context_length,
        "stored": manifest.stored,
    }
    (folder / "README.md").write_text(Template(text).substitute(values), encoding="utf-8")
