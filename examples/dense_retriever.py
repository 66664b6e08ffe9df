"""A retriever of your own in two methods: it ranks by the cosine of vectors (docs/architecture.md).

`embed` is any function from texts to vectors, such as `SentenceTransformer("...").encode`.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from spring.data.types import Passage
from spring.rag.retriever import Hit

Vectors: TypeAlias = npt.NDArray[np.float32]  # a row for each text


class DenseRetriever:
    """The passages whose vectors are nearest to the question's; all of them with a cosine above 0 fit."""

    def __init__(self, passages: Sequence[Passage], embed: Callable[[list[str]], Vectors]) -> None:
        self.passages, self._embed = passages, embed
        self._vectors = self._unit([passage.searched for passage in passages])

    def _unit(self, texts: list[str]) -> Vectors:
        vectors = self._embed(texts)
        unit: Vectors = np.divide(vectors, np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12), dtype=np.float32)
        return unit

    def search(self, question: str, limit: int) -> list[Hit]:
        """The at most `limit` nearest passages, best first."""
        scores = self._vectors @ self._unit([question])[0]
        best = [i for i in np.argsort(-scores, kind="stable")[:limit] if scores[i] > 0]
        return [Hit(self.passages[i], float(scores[i]), rank, ("meaning",)) for rank, i in enumerate(best, 1)]

    def fingerprint(self) -> str:
        """A digest of the passages' vectors."""
        return hashlib.sha256(self._vectors.tobytes()).hexdigest()
