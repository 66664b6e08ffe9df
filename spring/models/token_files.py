"""Token files from bytes to a tensor, without running code or allocating memory that a crafted file asks for.

`.safetensors` is harmless within size limits and is read here. A `.pt` holds a pickle: a child process with limits
converts it to safetensors, so that this process reads no other format.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load
from torch import Tensor

from spring.data.cleaning import one_line
from spring.data.sandbox.parent import Sandbox, SandboxError
from spring.errors import TokenFileError
from spring.models.plain_tensor import NAME, NOT_PLAIN
from spring.settings import MIB, ReadingLimits

MOST_BYTES = 257 * MIB  # 1,024 tokens of 65,536 in float32, and their header
MOST_HEADER = 100_000  # bytes of JSON in a safetensors file
# The child imports torch, which takes seconds, before the limits of memory and processor time hold.
PT_LIMITS = ReadingLimits(memory=1536 * MIB, answer_bytes=MOST_BYTES, file_seconds=120)

_UNREADABLE = (SafetensorError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError)


# --- .safetensors ---


def read_safetensors(path: Path, foreign: bool = False) -> tuple[Tensor, dict[str, str]]:
    """The only tensor of a file, and its metadata.

    Args:
        path: the file.
        foreign: whether others wrote it, so that its metadata need not name a backbone.

    Raises:
        TokenFileError: it is too large, not readable, or holds more or fewer tensors.

    """
    _check_size(path)
    try:
        with path.open("rb") as head:
            header = int.from_bytes(head.read(8), "little")
        if header > MOST_HEADER:
            raise TokenFileError(
                f"{path.name} is not a readable safetensors file (its header has {header:,} bytes; "
                f"{MOST_HEADER:,} are the most)."
            )
        with safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            names = list(file.keys())
            if foreign and len(names) != 1:
                raise TokenFileError(f"{path.name} must hold one tensor, but it holds {len(names)}.")
            if len(names) != 1 or ("backbone" not in metadata and not foreign):
                raise TokenFileError(
                    f"{path.name} must hold one tensor and the name of its backbone; it holds {len(names)} "
                    f"and {'a' if 'backbone' in metadata else 'no'} name."
                )
            return file.get_tensor(names[0]), metadata
    except _UNREADABLE as error:
        reason = one_line(str(error))[:200]
        raise TokenFileError(f"{path.name} is not a readable safetensors file ({reason}).") from error


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise TokenFileError(f"{path.name} has {size / MIB:,.0f} MB; {MOST_BYTES // MIB} are the most for tokens.")


# --- .pt ---


def read_pt(path: Path, limits: ReadingLimits = PT_LIMITS) -> Tensor:
    """The plain tensor in a file of `torch.save`.

    Raises:
        TokenFileError: it holds none, or reading it exceeds a limit.

    """
    _check_size(path)
    try:
        with Sandbox("spring.models.plain_tensor:pt_job", limits) as sandbox:
            return load(sandbox.ask({"path": str(path.absolute())}))[NAME]
    except SandboxError as error:
        raise TokenFileError(f"{path.name}: {error}.") from error
    except _UNREADABLE as error:
        raise TokenFileError(f"{path.name}: {NOT_PLAIN}.") from error
