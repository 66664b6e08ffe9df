"""The child process does what it likes; the parent gets a sentence in time, and nothing is left behind."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from spring.data.sandbox import parent as sandbox
from spring.data.sandbox.parent import (
    BUSY,
    DAMAGED,
    NO_TIME_LEFT,
    NOT_STARTED,
    STOPPED,
    TOO_BIG,
    TOO_SLOW,
    FileRefused,
    ReadingStopped,
    Sandbox,
    SandboxError,
)
from spring.settings import MIB, READING_LIMITS
from tests.support.servers import HANG

SECONDS = str(10**6 + os.getpid())  # no other run of the tests has the same
SLEEP = ["/bin/sleep", SECONDS]  # the child of a naughty child
QUICK = replace(READING_LIMITS, cpu_seconds=1, file_seconds=120, upload_seconds=240, memory=200 * MIB, answer_bytes=MIB)


@pytest.fixture(autouse=True)
def naughty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sandbox, "CHILD", "tests.support.naughty_child")
    before, threads, handles = processes(), threading.active_count(), len(os.listdir("/proc/self/fd"))
    yield
    end = time.monotonic() + HANG
    while processes() != before and time.monotonic() < end:  # who was killed takes a moment to be gone
        time.sleep(0.02)
    assert processes() == before
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, handles)


def processes() -> set[int]:
    """Our children, zombies too, and their naughty ones; not what a browser or a server beside them starts."""
    sleeping = {process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == SLEEP}
    return {process.pid for process in psutil.Process().children()} | sleeping


def failure(job: str, limits=QUICK, **request: str) -> str:
    with Sandbox(job, limits) as box, pytest.raises(SandboxError) as error:
        box.ask(request)
    return str(error.value)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("spin", TOO_SLOW),
        ("fill", TOO_BIG),
        ("exit_quietly", DAMAGED),
        ("crash", DAMAGED),
        ("fail", DAMAGED),
        ("close", DAMAGED),
        ("frame", DAMAGED),
        ("answer_too_much", DAMAGED),
        ("no such job", NOT_STARTED),
    ],
)
def test_a_child_that_does_not_answer_gets_a_sentence(job: str, reason: str) -> None:
    assert failure(job) == reason


def test_a_child_that_waits_is_ended_by_the_clock_with_its_own_children() -> None:
    assert failure("linger", replace(QUICK, file_seconds=2), seconds=SECONDS) == TOO_SLOW
    # The fixture looks for what is left.


def test_stop_ends_it_at_once() -> None:
    def lingers() -> bool:
        return any(process.info["cmdline"] == SLEEP for process in psutil.process_iter(["cmdline"]))

    with Sandbox("linger", QUICK, stop=lingers) as box, pytest.raises(ReadingStopped, match=STOPPED):
        box.ask({"seconds": SECONDS})


def test_the_next_request_gets_a_new_child() -> None:
    with Sandbox("answer_as_asked", QUICK) as box:
        with pytest.raises(SandboxError, match=DAMAGED):
            box.ask({})  # no "answer": a KeyError in the child
        assert box.ask({"answer": "first"}) == b"first"
        assert box.ask({"answer": "second"}) == b"second"


def test_where_no_process_can_start_there_is_a_sentence_and_the_log_says_why(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sandbox.sys, "executable", "/nowhere/python")
    assert failure("answer_as_asked") == NOT_STARTED
    assert "No such file or directory: '/nowhere/python'" in capfd.readouterr().err


def test_what_a_library_prints_is_no_answer() -> None:
    with Sandbox("print_much", QUICK) as box:
        assert box.ask({}) == b"quiet"


def test_a_child_cannot_write_files(tmp_path: Path) -> None:
    with Sandbox("write_a_file", QUICK) as box:
        assert box.ask({"path": str(tmp_path / "file")}) == b"File too large"
    assert (tmp_path / "file").stat().st_size == 0


def test_a_child_finds_the_package_where_this_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["", *sys.path])  # as `python -c` has it
    with Sandbox("answer_as_asked", QUICK) as box:
        assert box.ask({"answer": "yes"}) == b"yes"


def test_a_child_does_not_know_the_owners_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    with Sandbox("environment", QUICK) as box:
        known = json.loads(box.ask({}))
    assert "PATH" in known
    assert "secret" not in known.values()


def test_who_finds_no_place_in_time_is_told_and_who_leaves_goes() -> None:
    with Sandbox("sleep"), Sandbox("sleep"):
        with pytest.raises(SandboxError, match=BUSY), Sandbox("sleep", replace(QUICK, upload_seconds=0.2)):
            raise AssertionError("a third child at once")
        with pytest.raises(ReadingStopped), Sandbox("sleep", QUICK, stop=lambda: True):
            raise AssertionError("a third child at once")
    with Sandbox("answer_as_asked", QUICK) as box:  # the places are free again
        assert box.ask({"answer": "yes"}) == b"yes"


def test_no_request_begins_when_the_time_of_all_is_over() -> None:
    with Sandbox("sleep", replace(QUICK, upload_seconds=0.5)) as box:
        with pytest.raises(SandboxError, match=TOO_SLOW):
            box.ask({})
        with pytest.raises(SandboxError, match=NO_TIME_LEFT):
            box.ask({})


def test_a_refusal_is_the_childs_own_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox, "CHILD", "spring.data.sandbox.child")
    with (
        Sandbox("spring.models.plain_tensor:pt_job", QUICK) as box,
        pytest.raises(FileRefused, match="not a plain float tensor"),
    ):
        box.ask({"path": str(tmp_path / "none.pt")})
