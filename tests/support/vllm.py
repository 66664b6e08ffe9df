"""vLLM in an environment of its own, serving an exported folder on this machine's processor."""

import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.conftest import ROOT
from tests.support.servers import HANG

PYTHON = ROOT / ".venv-vllm" / "bin" / "python"
OPTIONS = [
    "--served-model-name",
    "spring",
    "--dtype",
    "float32",
    "--max-model-len",
    "2048",
    "--enforce-eager",
    "--host",
    "127.0.0.1",
]
START = 3 * HANG  # seconds after which a start has failed


class Vllm:
    """A server that can be killed and started again at the same address.

    Args:
        folder: the exported model.
        port: where it listens.
        log: appended to.

    """

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self._command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
        self._command += ["--port", str(port), *OPTIONS]
        self.root, self.url, self.log = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/v1", log
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "PYTEST"))}
        environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        with self.log.open("a") as output:
            self._process = subprocess.Popen(
                self._command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        end = time.monotonic() + START
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < end, self.log.read_text()[-3000:]
            time.sleep(1)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.root}/health", timeout=5).close()
        except OSError:
            return False
        return True

    def metric(self, name: str) -> float:
        """The value of one of its metrics."""
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=30) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vllm:{name}{{"))

    def wait_idle(self) -> None:
        """Return once it computes nothing."""
        end = time.monotonic() + HANG
        while self.metric("num_requests_running") + self.metric("num_requests_waiting"):
            assert time.monotonic() < end
            time.sleep(0.05)

    def kill(self) -> None:
        """End it and its workers at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
