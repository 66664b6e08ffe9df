"""Hostile files sent to a live page: their sender gets one line, everyone else notices nothing, nothing is left."""

import html
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hostile import hostile_files, slow_pdf

from spring.backbone import Backbone
from tests.conftest import ROOT, new_engine

API = "gradio_api"
QUESTION = "Who designed the lighthouse tower at Skerl Point?"
MIB = 2**20


class Server:
    """app.py in a process of its own, and what it holds."""

    def __init__(self, process: psutil.Popen, url: str, temporary: Path) -> None:
        self.process, self.url, self.temporary = process, url, temporary

    def readers(self) -> list[psutil.Process]:
        """The processes that read files now, zombies too."""
        children = self.process.children(recursive=True)
        return [child for child in children if "spring.model_server" not in " ".join(child.cmdline())]

    def memory(self) -> int:
        return int(self.process.memory_info().rss)

    def handles(self) -> int:
        return int(self.process.num_fds())

    def leftovers(self) -> list[str]:
        """Files in the folder of temporary files, apart from uploads: these go by their age."""
        return [path.name for path in self.temporary.iterdir() if path.name != "uploads"]


class Visitor:
    """One session of the page, without a browser."""

    def __init__(self, url: str, address: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=120, headers={"X-Forwarded-For": address})
        self.session = secrets.token_hex(6)
        functions = self.client.get("config").raise_for_status().json()["dependencies"]
        self.functions = {function["api_name"]: function["id"] for function in functions}
        self.beat = ExitStack()  # closing it is closing the tab
        self.beat.enter_context(self.client.stream("GET", f"{API}/heartbeat/{self.session}"))

    def send(self, name: str, data: bytes) -> None:
        """Send a file and ask for it to be read."""
        (path,) = self.client.post(f"{API}/upload", files=[("files", (name, data))]).raise_for_status().json()
        self.begin("upload", [{"path": path, "orig_name": Path(name).name, "meta": {"_type": "gradio.FileData"}}])

    def upload(self, name: str, data: bytes) -> str:
        """Send a file and have it read; the line that is shown for it, or the error in its place."""
        self.send(name, data)
        shown = [text for text in self.end() if isinstance(text, str)][-1]
        return html.unescape(re.sub(r"<[^>]*>", "", shown)).strip()

    def answers(self) -> list[str]:
        self.begin("compare", QUESTION, 50, 3, "Orlo station", None, False, 4, 0)
        (result,) = self.end()
        return [answer["text"] for answer in result["answers"]]

    def begin(self, name: str, *data: Any) -> None:
        """Call a handler."""
        body = {"fn_index": self.functions[name], "data": data, "session_hash": self.session}
        self.client.post(f"{API}/queue/join", json=body).raise_for_status()

    def end(self) -> list[Any]:
        """What the handler gives out at its end."""
        with self.client.stream("GET", f"{API}/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return list(message["output"]["data"])
        raise AssertionError("the stream ended early")

    def stop(self) -> None:
        body = {"fn_index": self.functions["stop_2"], "data": [], "session_hash": self.session}
        self.client.post(f"{API}/run/predict", json=body).raise_for_status()


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.fixture(scope="module")
def server(tiny_llama: Backbone, tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("live")
    temporary = folder / "temporary"
    temporary.mkdir()
    new_engine(tiny_llama).tokens.save(folder / "tokens.safetensors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"BACKBONE": tiny_llama_folder, "TOKENS": folder / "tokens.safetensors", "PRECISION": "fp32"}
    environment = os.environ | {f"SPRING_{name}": str(value) for name, value in settings.items()}
    environment |= {"GRADIO_SERVER_PORT": str(port), "TMPDIR": str(temporary)}
    environment |= {"GRADIO_TEMP_DIR": str(temporary / "uploads")}
    log = folder / "log"
    with log.open("w") as output:
        process = psutil.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        assert wait(lambda: "the model answers" in log.read_text() or process.poll() is not None, 180)
        assert process.poll() is None, log.read_text()
        yield Server(process, f"http://127.0.0.1:{port}/", temporary)
        assert process.poll() is None, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def visit(server: Server) -> Iterator[Callable[[], Visitor]]:
    """Open the page as a new visitor, as often as wanted."""
    with ExitStack() as stack:
        addresses = count(1)

        def open_page() -> Visitor:
            visitor = Visitor(server.url, f"203.0.113.{next(addresses)}")
            stack.callback(visitor.client.close)
            stack.enter_context(visitor.beat)
            return visitor

        yield open_page


@pytest.fixture(scope="module")
def other(visit: Callable[[], Visitor]) -> Visitor:
    return visit()


@pytest.fixture(scope="module")
def before(server: Server, visit: Callable[[], Visitor], other: Visitor) -> dict[str, Any]:
    """What the other visitor is answered, and what the server holds, once it has done everything before."""
    answers = other.answers()
    assert visit().upload("good.txt", b"The lamp burns.") == "good.txt: 1 page, 1 passage"
    assert other.answers() == answers
    assert wait(lambda: not server.readers(), 5)
    threads = server.process.num_threads()
    return {"answers": answers, "memory": server.memory(), "threads": threads, "handles": server.handles()}


@pytest.mark.parametrize("what", hostile_files())
def test_a_hostile_file_is_the_business_of_its_sender_alone(
    what: str, server: Server, visit: Callable[[], Visitor], other: Visitor, before: dict[str, Any]
) -> None:
    file = hostile_files()[what]
    visitor = visit()
    assert visitor.upload(file.name, file.data) == file.line
    visitor.beat.close()
    assert other.answers() == before["answers"]
    assert server.readers() == []
    assert server.leftovers() == []
    assert server.memory() < before["memory"] + 100 * MIB  # of 1 GB and more that some of the files are after
    # Gradio's pool lets go of its threads after 10 s
    assert wait(lambda: server.process.num_threads() <= before["threads"] + 2, 25), server.process.num_threads()
    assert wait(lambda: server.handles() <= before["handles"] + 10, 15)


def test_others_are_answered_while_a_file_is_read_that_never_ends(
    server: Server, visit: Callable[[], Visitor], other: Visitor, before: dict[str, Any]
) -> None:
    visitor = visit()
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.append(visitor.upload("slow.pdf", slow_pdf())))
    reading.start()
    assert wait(lambda: bool(server.readers()), 10)
    assert other.answers() == before["answers"]
    assert visit().upload("good.txt", b"The lamp burns.") == "good.txt: 1 page, 1 passage"
    assert server.readers()  # it is read all the while
    visitor.stop()
    assert wait(lambda: not server.readers(), 2)
    reading.join(10)
    assert lines == ["The files were not read: stopped before it was read."]


def test_a_visitor_who_leaves_ends_the_reading(
    server: Server, visit: Callable[[], Visitor], before: dict[str, Any]
) -> None:
    visitor = visit()

    def read() -> None:
        with suppress(httpx.HTTPError, OSError, AssertionError):  # it is cut off
            visitor.upload("slow.pdf", slow_pdf())

    reading = threading.Thread(target=read)
    reading.start()
    assert wait(lambda: bool(server.readers()), 10)
    visitor.beat.close()
    assert wait(lambda: not server.readers(), 4)  # a connection may be away for a moment
    reading.join(20)
    assert not reading.is_alive()
    assert server.memory() < before["memory"] + 100 * MIB
