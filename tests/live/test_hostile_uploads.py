"""Hostile files sent to a live page: their sender gets one line, everyone else notices nothing, nothing is left."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from benchmarks.visitor import Visitor, text_of
from spring.models.backbone import Backbone
from spring.web.visitors.uploads import Uploads
from tests.conftest import new_engine
from tests.support.hostile import hostile_files, slow_pdf
from tests.support.servers import HANG, Server, in_a_loop, start, stop, until

ORLO = "Orlo station"
QUESTION = "Who designed the lighthouse tower at Skerl Point?"
GOOD = "good.txt: 1 page, 1 passage"
MIB = 2**20
# One of each way to end; the others are in tests/data/test_sandbox_files.py, and a PDF that never ends is below.
FILES = (
    "docx: 80 KB for 3.6 GB",
    "pdf: a loop of pages",
    "html: nested deeply",
    "txt: NULs",
    "jsonl: unpaired surrogates",
    "csv: a header that repeats",
    "a name that climbs",
    "a program renamed",
)


@dataclass
class Before:
    """What another visitor is answered, and what the server holds, once it has done everything before."""

    answers: list[str]
    memory: int
    threads: int
    handles: int


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of temporary files of the server and of its children."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def server(
    tiny_llama: Backbone, tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory, temporary: Path
) -> Iterator[Server]:
    """One with the usual limits."""
    folder = tmp_path_factory.mktemp("hostile")
    new_engine(tiny_llama).tokens.save(folder / "tokens.safetensors")
    places = (tiny_llama_folder, folder / "tokens.safetensors", folder / "files", folder / "log")
    running = start(*places, TMPDIR=str(temporary))
    yield running
    stop(running)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("good") / "good.txt"
    file.write_text("The lamp burns.")
    return file


async def ask(server: Server) -> list[str]:
    """What another visitor is answered."""
    async with Visitor(server.url, "203.0.113.99") as other:
        return (await other.answer(QUESTION, name=ORLO, tokens=4))[1]


@pytest.fixture(scope="module")
def before(server: Server, good: Path) -> Before:
    async def everything() -> list[str]:
        async with Visitor(server.url, "203.0.113.98") as visitor:
            assert await visitor.add_documents(good) == GOOD
        return await ask(server)

    answers = in_a_loop(everything())
    assert in_a_loop(everything()) == answers
    server.wait(lambda: not server.readers)
    return Before(answers, server.memory, server.threads, server.handles)


def nothing_is_left(server: Server, temporary: Path) -> None:
    """No process, no temporary file, no upload."""
    assert server.readers == []
    assert list(temporary.iterdir()) == []
    server.wait(lambda: not server.uploaded)


async def upload(visitor: Visitor, name: str, data: bytes) -> str:
    """Send a file and have it read; the line that is shown for it, or the error in its place."""
    return await visitor.read_uploads(await visitor.send(name, data))


@pytest.mark.parametrize("what", FILES)
def test_a_hostile_file_is_the_business_of_its_sender_alone(
    what: str, server: Server, temporary: Path, before: Before
) -> None:
    file = hostile_files()[what]

    async def attack() -> None:
        async with Visitor(server.url) as visitor:
            assert await upload(visitor, file.name, file.data) == file.line

    in_a_loop(attack())
    nothing_is_left(server, temporary)


QUESTIONS = {  # by name; what is said of them
    "deep.jsonl": (b"[" * 100_000, "deep.jsonl has no row with a question and golden answers"),
    "digits.jsonl": (b'{"question": ' + b"9" * 5_000 + b"}", "digits.jsonl has no row with a question"),
    "half.csv": (b'question,answer\n"Who?,lamp\n', "half.csv has no row with a question and golden answers"),
    "wide.csv": ((",".join("ab" * 50_000) + "\n").encode() * 2, "wide.csv has no row with a question"),
    "zeros.jsonl": (b"\0" * 1000, "zeros.jsonl"),
    "empty.csv": (b"", "empty.csv"),
    "odd.parquet": (b"PAR1" + bytes(400) + b"PAR1", "odd.parquet is not a readable parquet file"),
    "setup.csv": (b"MZ\x90\0\3\0\0\0" + bytes(400), "setup.csv"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_so_is_a_hostile_question_file(name: str, server: Server, temporary: Path, before: Before) -> None:
    data, said = QUESTIONS[name]

    async def attack() -> str:
        async with Visitor(server.url) as visitor:
            [file] = await visitor.send(name, data)
            ticket = (await visitor.call("evaluate_begin"))["evaluate_ticket"]
            asked = {"questions": file, "ks": [0, 50], "limit": 1, "collection": ORLO, "max_new_tokens": 2}
            shots = [shown async for shown in visitor.stream("evaluate_stream", evaluate_ticket=ticket, **asked)]
            return str(shots[-1]["evaluate-status"])

    shown = in_a_loop(attack())
    assert 'role="alert"' in shown
    line = text_of(shown)
    assert line.startswith(said)
    assert re.fullmatch(r"[^\n]{20,300}\.", line)
    nothing_is_left(server, temporary)


def test_others_are_answered_while_a_file_is_read_that_never_ends(server: Server, good: Path, before: Before) -> None:
    async def attack() -> None:
        async with Visitor(server.url) as visitor, Visitor(server.url, "203.0.113.2") as other:
            reading = asyncio.create_task(upload(visitor, "slow.pdf", slow_pdf()))
            await until(lambda: server.readers)
            assert await ask(server) == before.answers
            assert await other.add_documents(good) == GOOD
            assert server.readers  # it is read all the while
            await visitor.stop()  # of a comparison: the upload goes on
            assert server.readers
            await visitor.call("remove_documents")
            await until(lambda: not server.readers)
            assert await reading == "The files were not read: stopped before it was read."

    in_a_loop(attack())


def test_a_visitor_who_leaves_ends_the_reading(server: Server, temporary: Path, before: Before) -> None:
    async def attack() -> None:
        async with Visitor(server.url) as visitor:
            reading = asyncio.create_task(upload(visitor, "slow.pdf", slow_pdf()))
            await until(lambda: server.readers)
            reading.cancel()
        await until(lambda: not server.readers)

    in_a_loop(attack())
    nothing_is_left(server, temporary)


def test_after_all_of_them_another_visitor_is_answered_as_before(server: Server, before: Before) -> None:
    """Memory, threads and handles came back too."""
    assert in_a_loop(ask(server)) == before.answers
    assert server.memory < before.memory + 100 * MIB  # of 1 GB and more that some of the files are after
    # Gradio's pool lets go of its threads after 10 s
    server.wait(lambda: server.threads <= before.threads + 2 and server.handles <= before.handles + 10)


def test_killed_it_leaves_nothing_behind(server: Server, good: Path) -> None:
    """The last test here: the model ends with its server, and the next server removes what was uploaded."""

    async def send() -> None:
        async with Visitor(server.url) as visitor:
            await visitor.upload(good)

    model = server.model
    in_a_loop(send())
    server.process.kill()
    server.process.wait()
    psutil.wait_procs([model], timeout=HANG)
    assert not model.is_running() or model.status() == psutil.STATUS_ZOMBIE
    assert "good.txt" in server.uploaded  # nobody was left to remove it
    next_one = Uploads(server.files)  # as the next server makes it
    assert server.uploaded == []
    assert len(list(server.files.glob("*/lock"))) == 1
    next_one.close()
