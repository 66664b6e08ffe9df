"""The shares of the test processes: nothing is left out, and nothing runs twice."""

import pytest

from tests.support.shares import TESTS, is_others


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_every_file_is_one_processs(count: int) -> None:
    for path in [TESTS / "new", *TESTS.rglob("*.py")]:
        assert [is_others(path, number, count) for number in range(count)].count(False) == 1, path
    assert not any(is_others(path, number, count) for path in (TESTS, TESTS.parent) for number in range(count))


def test_what_shares_a_server_stays_together() -> None:
    for folder in ("live", "browser"):
        owners = {
            number for path in (TESTS / folder).rglob("*.py") for number in range(4) if not is_others(path, number, 4)
        }
        assert len(owners) == 1
