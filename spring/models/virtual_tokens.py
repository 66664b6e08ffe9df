"""Learned virtual tokens: an (n, hidden) matrix, and the backbone that it belongs to.

Paper: "One Token Can Help!" (arXiv 2405.19670), section 3: the first k of n learned embeddings are inserted between
the passages and the question; any 1 <= k <= n works.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from spring.errors import TokenFileError
from spring.models.catalog import PUBLISHED_FILES, origin
from spring.models.token_files import read_pt, read_safetensors

TOKEN_FILES = (".safetensors", ".pt")  # endings of their names
TENSOR_NAME = "virtual_tokens"
MAX_TOKENS = 1024
MAX_HIDDEN = 65_536
MAX_NORM = 10_000.0  # of one token; the shipped ones reach 6, a row of 4,096 values of +-100 has 6,400
LONGEST_NAME = 1_000  # characters


@dataclass(frozen=True, eq=False)
class VirtualTokens:
    """An (n, hidden) float32 matrix and the name of the backbone it was made for.

    Attributes:
        embeddings: (n, hidden), float32, a private copy.
        backbone: the backbone's name; the hidden size alone does not identify it.
        learned: how the values were learned; "" for initial values.
        details: further metadata, kept on save.

    Raises:
        TokenFileError: it is no dense, finite matrix of sensible size and norms, or the name is unusable.

    """

    embeddings: Tensor
    backbone: str
    learned: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tensor = self.embeddings
        if tensor.layout != torch.strided or not tensor.is_floating_point() or tensor.dim() != 2:
            raise TokenFileError(
                f"Virtual tokens are a dense 2-D float matrix (n, hidden), not {tensor.dtype} "
                f"of shape {tuple(tensor.shape)} and layout {tensor.layout}."
            )
        n, hidden = tensor.shape
        if not (1 <= n <= MAX_TOKENS and 1 <= hidden <= MAX_HIDDEN):
            raise TokenFileError(
                f"A matrix of {n} x {hidden} is out of bounds: 1 to {MAX_TOKENS} tokens of 1 to {MAX_HIDDEN}."
            )
        # A private copy: later changes of the given tensor do not change the tokens.
        matrix = tensor.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not bool(torch.isfinite(matrix).all()):  # after the conversion: 1e300 is finite as a double alone
            raise TokenFileError("The virtual tokens hold values that are not finite (NaN or infinity).")
        norm, place = matrix.norm(dim=1).max(dim=0)
        if float(norm) > MAX_NORM:
            raise TokenFileError(
                f"Token {int(place) + 1} has a norm of {float(norm):,.0f}; {MAX_NORM:,.0f} is the most that is taken "
                "for learned values."
            )
        if not self.backbone:
            raise TokenFileError("Virtual tokens belong to one backbone; name it.")
        if len(self.backbone) > LONGEST_NAME or not self.backbone.isprintable():
            raise TokenFileError(f"A backbone's name is one line of at most {LONGEST_NAME:,} characters.")
        object.__setattr__(self, "embeddings", matrix)

    def __len__(self) -> int:
        return self.embeddings.shape[0]

    @property
    def at_front(self) -> bool:
        """Whether they were learned for the front of the prompt, and not for the seam."""
        return self.details.get("position") == "front"

    @property
    def hidden(self) -> int:
        """Width of one token: the backbone's hidden size."""
        return self.embeddings.shape[1]

    def first(self, k: int) -> Tensor:
        """Return the first k tokens, (k, hidden) float32, for 1 <= k <= n.

        Raises:
            TokenFileError: k is out of range.

        """
        if not 1 <= k <= len(self):
            raise TokenFileError(f"k = {k} is out of range: there are {len(self)} virtual tokens, so 1 to {len(self)}.")
        return self.embeddings[:k]

    def require(self, backbone: str, hidden: int | None = None) -> None:
        """Refuse tokens that were made for another backbone.

        Args:
            backbone: its name.
            hidden: its hidden size; None: unknown.

        Raises:
            TokenFileError: name or hidden size differ.

        """
        if self.backbone != backbone:
            raise TokenFileError(
                f"These virtual tokens were made for the backbone {self.backbone}, not for {backbone}: "
                f"choose --backbone {self.backbone} or another token file."
            )
        if hidden is not None and self.hidden != hidden:
            raise TokenFileError(
                f"These virtual tokens are {self.hidden} wide, but {backbone} has a hidden size of {hidden}: "
                "choose another token file."
            )

    def save(self, path: str | Path) -> None:
        """Write `.safetensors` with metadata `backbone`, `n`, `hidden`, `learned` and the further details."""
        metadata = {**self.details, "backbone": self.backbone, "learned": self.learned}
        metadata |= {"n": str(len(self)), "hidden": str(self.hidden)}
        save_file({TENSOR_NAME: self.embeddings}, str(path), metadata=metadata)

    @classmethod
    def load(cls, path: str | Path, backbone: str | None = None) -> "VirtualTokens":
        """Read `.safetensors` (ours) or `.pt` (published style: a plain float tensor of shape (n, hidden)).

        Args:
            path: the file.
            backbone: the backbone's name, for a `.pt` whose file name is none of the published ones.

        Raises:
            TokenFileError: no such file, not a plain 2-D finite float tensor, or the backbone is unknown.

        """
        path = Path(path)
        if not os.path.isfile(path):  # too long a name is no error
            raise TokenFileError(f"There is no token file {path}: choose a .safetensors or .pt file that is there.")
        match path.suffix:
            case ".safetensors":
                return cls._load_safetensors(path)
            case ".pt":
                name = PUBLISHED_FILES.get(path.name, backbone)
                if name is None:
                    raise TokenFileError(f"{path.name} does not say which backbone it is for: give --backbone NAME.")
                return cls(read_pt(path), name, learned=f"published file {path.name}")
        raise TokenFileError(f"{path.name} is not a token file: give a .safetensors or .pt file.")

    @classmethod
    def _load_safetensors(cls, path: Path) -> "VirtualTokens":
        tensor, metadata = read_safetensors(path)
        stated = (metadata.pop("n", None), metadata.pop("hidden", None))
        if stated != (None, None) and stated != tuple(map(str, tensor.shape)):
            said = " x ".join(repr(number)[:20] for number in stated)
            raise TokenFileError(f"{path.name} says it holds {said}, but its tensor is {tuple(tensor.shape)}.")
        return cls(tensor, metadata.pop("backbone"), metadata.pop("learned", ""), metadata)


def describe(tokens: VirtualTokens) -> str:
    """One line on the origin of the tokens, for the page and the command line."""
    return origin(len(tokens), tokens.backbone, tokens.learned)
