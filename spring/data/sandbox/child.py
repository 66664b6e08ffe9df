"""What runs in the child of `spring.data.sandbox.parent`: it limits itself, then answers requests until its input ends.

Its own libraries are imported first, and no byte of a visitor's is read before the limits hold.
"""

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from spring.data.sandbox.parent import ANSWERED, MEMORY_EXIT, READY, REFUSED
from spring.errors import SpringError
from spring.settings import ReadingLimits

Job: TypeAlias = Callable[[Mapping[str, Any], ReadingLimits], bytes]
_POLITE = 3  # the model's answers go before


def _restrict(limits: ReadingLimits) -> None:
    """No more memory than agreed, no files, no core dump."""
    if sys.platform == "linux":  # macOS takes the limit, and then fails at random
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + limits.memory)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(_POLITE)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _allow_seconds(seconds: int) -> None:
    """Let the next request take this much processor time; SIGXCPU ends the process after that."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    end = int(usage.ru_utime + usage.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (end if hard == resource.RLIM_INFINITY else min(end, hard), hard))


def _answer(output: BinaryIO, status: int, content: bytes) -> None:
    output.write(bytes([status]) + len(content).to_bytes(8, "little"))
    output.write(content)
    output.flush()


def main(name: str, limits: ReadingLimits) -> None:
    """Answer each line of the standard input with a frame on the standard output.

    Args:
        name: the job, `module:function`; its module is imported before the limits hold.
        limits: of memory, processor time and files.

    """
    output = os.fdopen(os.dup(1), "wb")
    module, _, function = name.partition(":")
    job: Job = getattr(importlib.import_module(module), function)
    _restrict(limits)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)  # what a library prints is no answer,
    os.dup2(nowhere, 2)  # and what it thinks of a visitor's file is nothing for the server's log
    output.write(READY)
    output.flush()
    for line in sys.stdin.buffer:
        _allow_seconds(limits.cpu_seconds)
        try:
            _answer(output, ANSWERED, job(json.loads(line), limits))
        except SpringError as error:
            _answer(output, REFUSED, str(error).encode("utf-8", "replace")[:4_000])
        except MemoryError:
            os._exit(MEMORY_EXIT)  # what is left of the heap is not to be trusted


if __name__ == "__main__":
    main(sys.argv[1], ReadingLimits(**json.loads(sys.argv[2])))
