"""Share the tests out among processes, each of which collects, and imports for, its own folders alone.

With pytest-xdist's other ways every process collects all tests, which takes each of them 16 s of the processor. This is
`--dist each`, with which every process runs what it has collected: a share. The hooks are named in tests/conftest.py.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from xdist.scheduler import EachScheduling
from xdist.workermanage import WorkerController

TESTS = Path(__file__).parent.parent
# By the number of processes: folders of about the same time each, and a last share of all others. What shares a server
# or a browser stays together.
SHARES = {
    4: (("browser",), ("live",), ("cli", "data", "evaluation", "rag", "training", "web")),
    # Of `make test-fast`; the second needs no torch.
    3: (("generation", "models", "training"), ("data", "rag", "test_architecture.py")),
}
SHARED_OUT = "tests_are_shared_out"  # told to each process
YIELDING = 5  # of `nice`: what the other shares' processes have
SESSION = pytest.StashKey[pytest.Session]()


def is_others(path: Path, number: int, count: int) -> bool:
    """Whether a folder or a file of tests is for another than process `number` of `count`."""
    if path == TESTS or not path.is_relative_to(TESTS):
        return False
    folder = path.relative_to(TESTS).parts[0]
    shares = SHARES.get(count, SHARES[4])
    return next((share for share, folders in enumerate(shares) if folder in folders), len(shares)) % count != number


def pytest_configure_node(node: WorkerController) -> None:
    """Tell a process whether it has a share or everything."""
    node.workerinput[SHARED_OUT] = node.config.getvalue("dist") == "each"


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keep what the scheduler tells how many tests there are; let the longest share, the first, have the processor."""
    session.config.stash[SESSION] = session
    if _number(session.config):
        os.nice(YIELDING)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out, in a process of several, what the others run."""
    number = _number(config)
    return None if number is None else is_others(collection_path, number, config.workerinput["workercount"]) or None


def _number(config: pytest.Config) -> int | None:
    """Which of several processes this is, each with its share; None: it runs everything."""
    process = getattr(config, "workerinput", {})
    return int(process["workerid"].removeprefix("gw")) if process.get(SHARED_OUT) else None


class Shares(EachScheduling):  # type: ignore[misc]
    """Let every process run its share, and count the tests of all."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Let a process begin when it has collected, however long the others take; xdist waits for the last."""
        super().add_node_collection(node, collection)
        self.config.stash[SESSION].testscollected = sum(map(len, self.node2collection.values()))
        if not self.node2pending[node]:  # else it takes the place of one that died
            self.node2pending[node] += range(len(collection))
            node.send_runtest_all()
            node.shutdown()
            self._started.append(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Shares | None:
    """The scheduler of `--dist each`."""
    return Shares(config, log) if config.getvalue("dist") == "each" else None
