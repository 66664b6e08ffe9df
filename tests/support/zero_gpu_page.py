"""`app.py` as on ZeroGPU, on a machine without a GPU: a program for tests/web/test_zero_gpu.py.

The `spaces` package is the real one: it replaces torch's CUDA, asks for a GPU over HTTP, forks, pickles, follows the
generator and passes errors on. Three things stand in: what a CPU build of torch lacks, the service that lends GPUs, and
moving the weights to the GPU (they stay on the CPU).
"""

import json
import os
import runpy
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import torch

FOLDER = Path(sys.argv[1])  # every request that the service gets is written there; a file `refuse` makes it refuse
LENT = {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "none", "allowToken": "token"}
USED_UP = {"left": 5, "wait": 3600}


class Lender(BaseHTTPRequestHandler):
    """The service: `spaces.zero.api` is its client."""

    def do_POST(self) -> None:
        address = urlsplit(self.path)
        asked = {"path": address.path, **{key: values[0] for key, values in parse_qs(address.query).items()}}
        with (FOLDER / "asked.jsonl").open("a") as file:
            file.write(json.dumps(asked) + "\n")
        refused = address.path == "/schedule" and (FOLDER / "refuse").exists()
        body = json.dumps(USED_UP if refused else LENT).encode()
        self.send_response(429 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def not_forked() -> bool:
    """Stand in for torch.cuda._is_in_bad_fork, which is pickled."""
    return False


def keep_on_the_cpu(callback: object = None) -> None:
    """Stand in for moving the weights to the GPU."""
    from spaces.zero.torch.patching import cuda_aliases

    for fake, original in cuda_aliases.items():
        fake.data = torch.Tensor(original)  # out of bitsandbytes' class, as `spaces` itself does


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (FOLDER / "cgroup").write_text("0::/space\n")
    os.environ.update(
        SPACES_ZERO_GPU="true",
        SPACES_ZERO_DEVICE_API_URL=f"http://127.0.0.1:{server.server_port}",
        ZEROGPU_PROC_SELF_CGROUP_PATH=str(FOLDER / "cgroup"),
        ZEROGPU_OFFLOAD_DIR=str(FOLDER / "tensors"),
    )
    # Before there seems to be a GPU: it then takes its library for the CPU.
    import bitsandbytes  # noqa: F401

    if torch.version.cuda is None:
        torch.version.cuda = "12.8"
        torch._C._cuda_init = lambda: None
        torch.cuda._is_in_bad_fork = not_forked

    import spaces.zero.torch as zero_torch

    zero_torch.pack, zero_torch.init, zero_torch.move = lambda: 0, lambda uuid: None, keep_on_the_cpu
    sys.argv, sys.path[0] = ["app.py"], str(Path.cwd())
    runpy.run_path("app.py", run_name="__main__")


if __name__ == "__main__":
    main()
