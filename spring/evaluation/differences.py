"""The questions that one row of an evaluation answers right and another does not."""

from collections.abc import Iterable
from dataclasses import dataclass

from spring.evaluation.runner import Row
from spring.evaluation.summary import PLAIN, Group, group_name, grouped


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that only one of two answers matches exactly."""

    name: str  # of the row, as tables have it
    before: Row  # the answer that is compared with
    after: Row

    @property
    def gained(self) -> bool:
        """Whether `after` is the right one."""
        return self.after.exact_match > self.before.exact_match

    @property
    def kind(self) -> str:
        """The word `gained` or `lost`."""
        return "gained" if self.gained else "lost"


def differences(rows: Iterable[Row], against: Group = PLAIN) -> list[Difference]:
    """For each other row of the table, the questions gained, then those lost, against a row; of one set."""
    groups = grouped(rows)
    before = groups.get(against, {})
    found = [
        Difference(group_name(group), before[id], row)
        for group, answers in groups.items()
        if group != against
        for id, row in answers.items()
        if id in before and row.exact_match != before[id].exact_match
    ]
    place = {group_name(group): i for i, group in enumerate(groups)}
    return sorted(found, key=lambda difference: (place[difference.name], not difference.gained))
