"""The batches of a run: which samples they hold, in which order, and when these are drawn."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from spring.training.examples import Examples
from spring.training.loss import Example
from spring.training.settings import TrainingSettings


class Batches:
    """The batches of one process from a step of the run to its last one; to be iterated once.

    The order depends on nothing but the arguments, so a resumed run goes on where it was.

    Args:
        examples: the samples by number.
        settings: samples in a batch, over all processes, and batches in a step.
        steps: the first step, counted from 0, and the one after the last.
        process: the number of this process, and how many there are; each takes its share of every batch.
        ahead: draw and encode the next step's samples in a thread while this one is computed. On a card the processor
            has time for that; where the model computes on the processor, the thread would take its time.

    """

    def __init__(
        self,
        examples: Examples,
        settings: TrainingSettings,
        steps: tuple[int, int],
        process: tuple[int, int] = (0, 1),
        ahead: bool = False,
    ) -> None:
        self.examples, self.settings, self.steps, self.process, self.ahead = examples, settings, steps, process, ahead
        self.waited = 0.0  # seconds that the reader of the batches has waited for them so far

    def __iter__(self) -> Iterator[list[Example]]:
        batches = self._drawn_ahead() if self.ahead else self._drawn()
        while True:
            started = time.perf_counter()
            batch = next(batches, None)
            self.waited += time.perf_counter() - started
            if batch is None:
                return
            yield batch

    def _drawn(self) -> Iterator[list[Example]]:
        for numbers in self._numbers():
            yield [self.examples[number] for number in numbers]

    def _drawn_ahead(self) -> Iterator[list[Example]]:
        """As `_drawn`, by a thread that is ahead by a step: then it also has the order of the next one in time."""
        batches = self._drawn()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="samples")
        try:
            waiting = deque(thread.submit(next, batches, None) for _ in range(self.settings.gradient_accumulation))
            while (batch := waiting.popleft().result()) is not None:
                waiting.append(thread.submit(next, batches, None))
                yield batch
        finally:
            thread.shutdown(cancel_futures=True)

    def _numbers(self) -> Iterator[list[int]]:
        """The numbers of the samples of each batch.

        Within a step, samples with passages of similar length follow each other, which saves padding.
        """
        size, batch = self.settings.samples_per_step, self.settings.batch_size
        place, processes = self.process
        share = batch // processes
        for start in range(self.steps[0] * size, self.steps[1] * size, size):
            order = sorted(range(start, start + size), key=lambda number: (self.examples.length(number), number))
            for first in range(place * share, size, batch):
                yield order[first : first + share]
