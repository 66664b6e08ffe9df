"""Rows in the tensors of a static step: laid out as stacked rows, and decoded without the host."""

from collections.abc import Sequence

from transformers import Cache

from spring.generation.arriving_ids import ArrivingIds
from spring.generation.rows import RowInput
from spring.generation.stacked_rows import StackedRows
from spring.generation.static_step import StepShape
from spring.generation.step_pool import ReadyStep
from spring.generation.types import DecodingOptions
from spring.models.backbone import Backbone


def shape_of(inputs: Sequence[RowInput], options: DecodingOptions) -> StepShape:
    """The shape of the step that these rows need."""
    parts = (
        max(len(row.prefix.ids) for row in inputs),
        max(row.virtual_tokens for row in inputs),
        max(len(row.question) for row in inputs),
        options.max_new_tokens,
    )
    return StepShape.of(len(inputs), sum(parts), options)


class StaticRows(StackedRows):
    """All rows go on to the end, each repeating its own when it has ended: a step of fewer rows takes as long.

    Args:
        backbone: the model.
        inputs: of each row.
        options: the most tokens that follow, and how they are chosen.
        ready: a step of the shape of these rows, which is theirs alone.

    """

    needs_host = False

    def __init__(
        self, backbone: Backbone, inputs: Sequence[RowInput], options: DecodingOptions, ready: ReadyStep
    ) -> None:
        super().__init__(backbone, inputs, options, ready.step.sampler)
        self._ready = ready

    def begin(self) -> ArrivingIds:
        """Feed the questions eagerly, and choose the first new ids."""
        arriving = super().begin()
        self._ready.step.start(self.masks, self._ids, self.options)
        return arriving

    def advance(self) -> ArrivingIds:
        """Run the step."""
        self._ready.run()
        return ArrivingIds(self._ready.step.ids)

    def _empty_cache(self, slots: int) -> Cache:
        return self._ready.step.empty()
