"""Draw training samples: which passages, how many, which golden answer, which k (paper, section 3.3)."""

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
from spring.rag.retriever import Retriever
from spring.training.encoding import Ids, SampleEncoder
from spring.training.loss import Example, Target

MAX_DEV_ANSWERS = 16  # golden answers of a dev question that are scored; some sets have a hundred names for one thing


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """What is drawn at random for each sample.

    Raises:
        PromptError: a value is out of range.

    """

    number: int = 50  # n: the virtual tokens are t1 .. tn
    passages: tuple[int, int] = (1, 5)  # m, the number of passages, is drawn between these, both included
    fixed_k: bool = False  # always k = n instead of a random k: the paper's ablation
    shared_k: int = 1  # how many k of one sample share its passages
    seed: int = 0
    draws: int = 0  # how often a question's passages are drawn, once an epoch, before they repeat; 0: in every epoch

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
    """Map the id of every row of a JSON Lines collection to the row's passages."""
    rows: dict[str, list[Passage]] = {}
    for passage in collection.passages:
        if passage.id:
            rows.setdefault(passage.id, []).append(passage)
    return rows


class Examples:
    """The samples of a training run, by number.

    Sample i depends on the data, the settings and i alone, so a resumed run, or another process, draws the same. Every
    epoch has each question once, in an order of its own.
    """

    def __init__(
        self,
        backbone: Backbone,
        questions: Sequence[Question],
        retriever: Retriever | None = None,
        gold: Mapping[str, Sequence[Passage]] | None = None,
        settings: SampleSettings = SampleSettings(),
    ) -> None:
        """Check that every question has passages.

        Args:
            backbone: its tokenizer encodes the samples.
            questions: at least one.
            retriever: finds the passages of questions that come without any.
            gold: passages by the id that a question names as its `gold_passage` (see `gold_passages`).
            settings: what is drawn at random.

        Raises:
            PromptError: there is no question, or one without passages and no retriever.

        """
        if not questions:
            raise PromptError("There is no question to learn from.")
        self.backbone, self.questions, self.settings = backbone, questions, settings
        self._retriever, self._gold = retriever, gold or {}
        self._found: dict[tuple[str, int], list[Passage]] = {}
        self._orders: dict[int, list[int]] = {}
        self._encoder = SampleEncoder(backbone, settings.number)
        for question in questions:
            self._require_passages(question)
        self._golds = [self._gold_of(question) for question in questions]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all data that samples are drawn from."""
        digest = hashlib.sha256(repr(self.questions).encode())
        if self._retriever is not None:
            digest.update(self._retriever.fingerprint().encode())
        for gold in self._golds:
            digest.update(repr(gold).encode())
        return digest.hexdigest()

    def __getitem__(self, number: int) -> Example:
        """Draw sample `number` and encode its passages and targets."""
        question, passages = self.question(number), self.passages(number)
        rng = random.Random(f"{self.settings.seed} sample {number}")
        targets = []
        before: Ids = ()
        for k in self._draw_ks(rng):
            answer = rng.choice(question.golden_answers)
            before, after, ids = self._encoder.encode(passages, question.question, answer)
            targets.append(Target(k, after, ids))
        return Example(before, tuple(targets), sum(self._place_and_draw(number)))

    def question(self, number: int) -> Question:
        """Return the question of a sample."""
        return self.questions[self._place_and_draw(number)[0]]

    def passages(self, number: int) -> list[Passage]:
        """Return the passages of a sample: the m best, m at random; the gold one replaces the last if it is missing."""
        place, draw = self._place_and_draw(number)
        question, rng = self.questions[place], random.Random(f"{self.settings.seed} question {place} draw {draw}")
        m = rng.randint(*self.settings.passages)
        passages = self._best(question, self.settings.passages[1])[:m]
        gold = self._golds[place]
        if gold is not None and gold not in passages:
            passages = passages[: m - 1]
            passages.insert(rng.randint(0, len(passages)), gold)
        return passages

    def dev_example(self, question: Question, passages: int, ks: Sequence[int]) -> Example:
        """Encode the golden answers of a question, at most 16, for the given k on the best passages.

        Raises:
            PromptError: the question has no passages and there is no retriever.

        """
        self._require_passages(question)
        best = self._best(question, passages)
        targets = list[Target]()
        before: Ids = ()
        for answer in question.golden_answers[:MAX_DEV_ANSWERS]:
            before, after, ids = self._encoder.encode(best, question.question, answer)
            targets += [Target(k, after, ids) for k in ks]
        return Example(before, tuple(targets))

    def length(self, number: int) -> int:
        """Characters in the passages of a sample: about proportional to their tokens."""
        return sum(len(passage.titled) for passage in self.passages(number))

    def _place_and_draw(self, number: int) -> tuple[int, int]:
        """The index of a sample's question, and the number of the draw of its passages."""
        epoch, index = divmod(number, len(self.questions))
        if epoch not in self._orders:
            order = list(range(len(self.questions)))
            random.Random(f"{self.settings.seed} epoch {epoch}").shuffle(order)
            self._orders[epoch] = order
        return self._orders[epoch][index], epoch % self.settings.draws if self.settings.draws else epoch

    def _draw_ks(self, rng: random.Random) -> list[int]:
        """The k of one sample: uniform in 1..n as in the paper; of several, the second is n, the rest favour few."""
        n, count = self.settings.number, self.settings.shared_k
        if self.settings.fixed_k:
            return [n]
        ks = [rng.randint(1, n)]
        if count > 1:
            ks.append(n)
        return ks + [int(math.exp(rng.uniform(0, math.log(n / 4 + 1)))) for _ in range(count - 2)]

    def _require_passages(self, question: Question) -> None:
        if not question.passages and self._retriever is None:
            raise PromptError(f"Question {question.id} comes without passages: name the documents to search.")

    def _best(self, question: Question, limit: int) -> list[Passage]:
        if question.passages or self._retriever is None:
            return list(question.passages[:limit])
        key = question.question, limit  # not the id: a training and a dev question may have the same
        if key not in self._found:
            self._found[key] = [hit.passage for hit in self._retriever.search(*key)]
        return self._found[key]

    def _gold_of(self, question: Question) -> Passage | None:
        """The first passage of the gold row that holds an answer; the row's first passage if none does."""
        row = self._gold.get(question.gold_passage, ())
        holding = (p for p in row if any(contained(p.titled, answer) for answer in question.golden_answers))
        return next(holding, row[0] if row else None)
