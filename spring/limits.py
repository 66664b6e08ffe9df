"""How much of the machine one upload may take; SECURITY.md has the same numbers."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of what strangers send. Those of time and memory hold for the child process that reads it."""

    files: int = 50  # of one visitor
    bytes: int = 60 * MIB  # all files of one upload together
    cpu_seconds: int = 10  # processor time for one file
    file_seconds: float = 45  # on the clock for one file, as the model may be using the processor
    upload_seconds: float = 120  # on the clock for all files of one upload
    memory: int = 1024 * MIB  # address space, beyond what the interpreter takes by itself
    pages: int = 20_000  # of one PDF, or rows of one JSON Lines file
    characters: int = 10_000_000  # in the passages of one upload
    answer_bytes: int = 48 * MIB  # what the parent reads from the child for one file
    children: int = 2  # at once on this machine


LIMITS = Limits()
