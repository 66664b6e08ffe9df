"""How often the terms of a question stand in some passages, and how long these are, from files of numbers.

tantivy finds passages but tells neither; to read the text of each would take most of the time of a query. So its
folder also has, for each time that it was added to, two files of native numbers, named by the first passage in them:

    0000000000.terms     32 bits of each term's digest (4 bytes a term), passage by passage
    0000000000.ends      where each passage ends in it (8 bytes a passage)
"""

import os
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt

_MOST_KEPT = 2**17  # terms in memory, some 20 MB
Numbers = npt.NDArray[np.int64]


class _Digests(dict[str, int]):
    def __missing__(self, term: str) -> int:
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[term] = digest = zlib.crc32(term.encode())
        return digest


_digests = _Digests()


def digests(terms: Iterable[str]) -> npt.NDArray[np.uint32]:
    """32 bits for each term: of 100 million pairs of terms two or three are the same."""
    return np.fromiter(map(_digests.__getitem__, terms), np.uint32)


class TermsWriter:
    """Writes the two files of what is added to an index.

    Args:
        folder: of the data.
        first: the number of the first passage.

    """

    def __init__(self, folder: Path, first: int) -> None:
        self._terms: BinaryIO = (folder / f"{first:010}.terms").open("wb")
        self._ends: BinaryIO = (folder / f"{first:010}.ends").open("wb")
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._terms, self._ends):
            file.flush()
            os.fsync(file.fileno())
            file.close()

    def add(self, terms: bytes, lengths: Sequence[int]) -> None:
        """Add some passages.

        Args:
            terms: the `digests` of all of them.
            lengths: terms of each.

        """
        ends = np.cumsum([self._end, *lengths], dtype=np.int64)
        self._terms.write(terms)
        self._ends.write(ends[1:].tobytes())
        self._end = int(ends[-1])


class Terms:
    """The terms of all passages of an index, on disk.

    Raises:
        ValueError, OSError: the files are not those of so many passages.

    """

    def __init__(self, folder: Path, passages: int) -> None:
        files = sorted(folder.glob("*.ends"))
        self._firsts = np.array([int(file.stem) for file in files] + [passages])
        self._ends, self._terms = list[Numbers](), list[npt.NDArray[np.uint32]]()
        for file, (first, after) in zip(files, pairwise(self._firsts.tolist()), strict=True):
            ends = np.memmap(file, np.int64, "r", shape=(after - first,))
            self._ends.append(ends)
            self._terms.append(np.memmap(file.with_suffix(".terms"), np.uint32, "r", shape=(int(ends[-1]),)))
        if not files or self._firsts[0] != 0:
            raise ValueError("The files of the first passages are missing.")

    def counts(self, passages: Numbers, terms: Sequence[str]) -> tuple[Numbers, Numbers]:
        """How often each term stands in each passage, (passages, terms), and the terms of each passage, (passages,).

        passages: their numbers in the index.
        """
        counts = np.zeros((len(passages), len(terms)), np.int64)
        lengths = np.zeros(len(passages), np.int64)
        parts = np.searchsorted(self._firsts, passages, side="right") - 1
        for part in np.unique(parts):
            chosen = np.flatnonzero(parts == part)
            found, lengths[chosen] = self._read(part, passages[chosen] - self._firsts[part])
            owners = np.repeat(chosen, lengths[chosen])
            for column, digest in enumerate(digests(terms)):
                counts[:, column] += np.bincount(owners[found == digest], minlength=len(passages))
        return counts, lengths

    def _read(self, part: int, rows: Numbers) -> tuple[npt.NDArray[np.uint32], Numbers]:
        """The terms of some passages, one after the other, and how many each has."""
        ends = self._ends[part]
        starts = np.where(rows > 0, ends[rows - 1], 0)
        lengths = ends[rows] - starts
        places = np.arange(lengths.sum()) + np.repeat(starts - lengths.cumsum() + lengths, lengths)
        return self._terms[part][places], lengths
