"""A child of `spring.data.sandbox.parent` that does what none should: its jobs, by name."""

import json
import os
import signal
import subprocess
import sys
import time

from spring.data.sandbox import child as sandbox_child
from spring.data.sandbox.parent import READY
from spring.settings import ReadingLimits


def spin(request, limits):
    while True:
        pass


def sleep(request, limits):
    time.sleep(600)


def fill(request, limits):
    return bytes(2 * limits.memory)


def exit_quietly(request, limits):
    os._exit(0)


def crash(request, limits):
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(request, limits):
    raise KeyError("no SpringError")


def linger(request, limits):
    """A child of its own, and no end."""
    subprocess.Popen(["/bin/sleep", request["seconds"]])
    time.sleep(600)


def close(request, limits):
    os.closerange(0, 64)
    time.sleep(600)


def print_much(request, limits):
    print("x" * 100_000)
    return b"quiet"


def answer_as_asked(request, limits):
    return request["answer"].encode()


def answer_too_much(request, limits):
    return bytes(limits.answer_bytes + 1)


def write_a_file(request, limits):
    try:
        with open(request["path"], "wb") as file:
            file.write(b"x")
    except OSError as error:
        return str(error.strerror).encode()


def environment(request, limits):
    return json.dumps(dict(os.environ)).encode()


if __name__ == "__main__":
    name = sys.argv[1]
    if name == "frame":  # no child of ours at all
        os.write(1, READY)
        sys.stdin.readline()
        os.write(1, bytes([7]) + bytes(8) + b"anything")
        time.sleep(600)
    sandbox_child.main(f"tests.support.naughty_child:{name}", ReadingLimits(**json.loads(sys.argv[2])))
