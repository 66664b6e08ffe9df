"""Facts about a model that is elsewhere: in another process, or on a server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteBackbone:
    """Facts about the backbone."""

    name: str
    precision: str
    precision_reason: str
    context_length: int


@dataclass(frozen=True, slots=True)
class RemoteTokens:
    """Facts about the virtual tokens."""

    number: int
    hidden: int
    learned: str

    def __len__(self) -> int:
        return self.number
