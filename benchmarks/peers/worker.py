"""What each peer's process does: it reads tasks, a JSON object a line, answers them, and prints what that took.

Imports nothing of the project, as vLLM's process has other libraries.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answered:
    """Seconds to the first token of all answers and to the last one of all, and the new ids of each."""

    first: float
    total: float
    ids: list[list[int]]


def serve(load: Callable[[dict[str, Any]], Callable[[list[int], bool], Answered]]) -> None:
    """Answer tasks until the driver is done.

    Args:
        load: makes of the setting (see `benchmarks.peers.__main__`), the first argument of the program, a function of
            the k that are asked for, and of whether what was read for the task before may be used again.

    """
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries and their processes print what they like
    answer = load(json.loads(sys.argv[1]))
    print(json.dumps("ready"), file=out, flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        answered = answer(task["ks"], task["again"])
        print(json.dumps([answered.first, answered.total, answered.ids]), file=out, flush=True)
