"""From questions to training examples: which passages, how many, which answer, which k (paper, section 3.3)."""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spring.data.questions import Question
from spring.data.types import Collection, Passage
from spring.errors import PromptError
from spring.evaluation.metrics import contained
from spring.models.backbone import Backbone
from spring.rag.bm25 import Bm25Retriever
from spring.rag.prompt import build_prompt
from spring.training.loss import Example, Target

MOST_DEV_ANSWERS = 16  # golden answers of a dev question; some sets have a hundred names for one thing


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn at random for each sample."""

    number: int = 50  # n: there are t1 .. tn
    passages: tuple[int, int] = (1, 5)  # m is drawn between these, both included
    fixed_k: bool = False  # always k = n, instead of k at random: for comparison with the paper's ablation
    shared_k: int = 1  # how many k of one sample share its passages
    seed: int = 0
    draws: int = 0  # how often the passages of a question are drawn, one epoch each, then again; 0: in every epoch

    def __post_init__(self) -> None:
        low, high = self.passages
        if not 0 <= self.draws <= 100:
            raise PromptError(f"The passages of a question can be drawn 0 to 100 times, not {self.draws}.")
        if not 1 <= low <= high <= 20:
            raise PromptError(f"The number of passages must be within 1 to 20, not {low} to {high}.")
        if not 1 <= self.number <= 1024:
            raise PromptError(f"The number of virtual tokens must be 1 to 1024, not {self.number}.")
        if not 1 <= self.shared_k <= 16:
            raise PromptError(f"The number of k that share the passages must be 1 to 16, not {self.shared_k}.")


def gold_passages(collection: Collection) -> Mapping[str, Sequence[Passage]]:
    """The passages of every row of a JSON Lines collection, by the row's id."""
    rows: dict[str, list[Passage]] = {}
    for passage in collection.passages:
        if passage.id:
            rows.setdefault(passage.id, []).append(passage)
    return rows


class Examples:
    """Samples of training: number i is the same whenever and wherever it is drawn.

    Every epoch has each question once, in an order of its own.
    """

    def __init__(
        self,
        backbone: Backbone,
        questions: Sequence[Question],
        retriever: Bm25Retriever | None,
        gold: Mapping[str, Sequence[Passage]],
        draw: Draw,
    ) -> None:
        if not questions:
            raise PromptError("There is no question to learn from.")
        self.backbone, self.questions, self.draw = backbone, questions, draw
        self._retriever, self._gold = retriever, gold
        self._found: dict[tuple[str, int], list[Passage]] = {}
        self._orders: dict[int, list[int]] = {}
        for question in questions:
            self._require_passages(question)

    @property
    def fingerprint(self) -> str:
        """A hash of all that samples are drawn from."""
        found = hashlib.sha256(repr(self.questions).encode())
        for passage in self._retriever.passages if self._retriever else ():
            found.update(passage.titled.encode())
        for question in self.questions:
            found.update(repr(self._gold_of(question)).encode())
        return found.hexdigest()

    def __getitem__(self, number: int) -> Example:
        """Draw a sample: the ids of its passages and of its targets."""
        question, passages = self.question(number), self.passages(number)
        random_ = random.Random(f"{self.draw.seed} sample {number}")
        targets = []
        before: list[int] = []
        for k in self._ks(random_):
            answer = random_.choice(question.golden_answers)
            before, after, ids = self._encode(passages, question.question, answer)
            targets.append(Target(k, tuple(after), tuple(ids)))
        return Example(tuple(before), tuple(targets), sum(self._draw(number)))

    def question(self, number: int) -> Question:
        """The question of a sample."""
        return self.questions[self._draw(number)[0]]

    def passages(self, number: int) -> list[Passage]:
        """The m best passages of a sample's question, m at random; the gold one among them if it is known."""
        place, draw = self._draw(number)
        question, random_ = self.questions[place], random.Random(f"{self.draw.seed} question {place} draw {draw}")
        m = random_.randint(*self.draw.passages)
        passages = self._best(question, self.draw.passages[1])[:m]
        gold = self._gold_of(question)
        if gold is not None and gold not in passages:
            passages = passages[: m - 1]
            passages.insert(random_.randint(0, len(passages)), gold)
        return passages

    def of(self, question: Question, passages: int, ks: Sequence[int]) -> Example:
        """The golden answers, at most 16, for the given k on the best passages: to measure with."""
        self._require_passages(question)
        best = self._best(question, passages)
        targets, before = [], list[int]()
        for answer in question.golden_answers[:MOST_DEV_ANSWERS]:
            before, after, ids = self._encode(best, question.question, answer)
            targets += [Target(k, tuple(after), tuple(ids)) for k in ks]
        return Example(tuple(before), tuple(targets))

    def length(self, number: int) -> int:
        """About how long the passages of a sample are, in characters."""
        return sum(len(passage.titled) for passage in self.passages(number))

    def _draw(self, number: int) -> tuple[int, int]:
        """The place of a sample's question among all, and which draw of its passages it has."""
        epoch, place = divmod(number, len(self.questions))
        if epoch not in self._orders:
            order = list(range(len(self.questions)))
            random.Random(f"{self.draw.seed} epoch {epoch}").shuffle(order)
            self._orders[epoch] = order
        return self._orders[epoch][place], epoch % self.draw.draws if self.draw.draws else epoch

    def _ks(self, random_: random.Random) -> list[int]:
        """The k of one sample: one uniform in 1..n as in the paper; of several, one is n, the rest lean to few."""
        n, count = self.draw.number, self.draw.shared_k
        if self.draw.fixed_k:
            return [n]
        ks = [random_.randint(1, n)]
        if count > 1:
            ks.append(n)
        return ks + [int(math.exp(random_.uniform(0, math.log(n / 4 + 1)))) for _ in range(count - 2)]

    def _require_passages(self, question: Question) -> None:
        if not question.passages and self._retriever is None:
            raise PromptError(f"Question {question.id} comes without passages: name the documents to search.")

    def _best(self, question: Question, limit: int) -> list[Passage]:
        if question.passages or self._retriever is None:
            return list(question.passages[:limit])
        # Not by id: those of two files, training and dev, may be the same.
        key = question.question, limit
        if key not in self._found:
            self._found[key] = [hit.passage for hit in self._retriever.search(*key)]
        return self._found[key]

    def _gold_of(self, question: Question) -> Passage | None:
        """The piece of the gold row that holds an answer."""
        pieces = self._gold.get(question.gold_passage, ())
        holds = (p for p in pieces if any(contained(p.titled, answer) for answer in question.golden_answers))
        return next(holds, pieces[0] if pieces else None)

    def _encode(
        self, passages: Sequence[Passage], question: str, answer: str
    ) -> tuple[list[int], list[int], list[int]]:
        """Ids of the parts; the last passages are left out where all do not fit."""
        for kept in range(len(passages), -1, -1):
            ids = self.backbone.encode_answer(build_prompt(passages[:kept], question), answer)
            if sum(map(len, ids)) + self.draw.number <= self.backbone.context_length:
                return ids
        raise PromptError(f"The question {question[:80]!r} is too long for {self.backbone.name}.")
