"""Our engine at each precision and others, in turns: two answers, the first word, eight answers.

    python -m benchmarks.peers [--runs 5] [--old CHECKOUT] [--vllm PYTHON] [--only before int4]

Every peer has a process of its own with two threads, and all have the same prompts: three passages of 600 tokens, k
words in place of k virtual tokens, 32 forced new ones. llama.cpp takes part where PyPI's `xllamacpp` is installed, and
vLLM where --vllm names the Python that has it. Printed are median seconds; `again` is the first word at another k on
the same passages. Texts are compared in fp32 alone: below it they depend on the shape of the batch.
"""

import argparse
import importlib.util
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.side_by_side import EIGHT, NEW_TOKENS, PASSAGE_TOKENS, TWO, passages_of
from spring.generation.engine import load_engine
from spring.models.bundled import embedded_model, gguf_file
from spring.rag.prompt import INSTRUCTION
from spring.settings import SHORT_SPINS

ROOT = Path(__file__).parents[2]
TASKS: dict[str, tuple[Sequence[int], bool]] = {"two": (TWO, False), "again": ((0, 20), True), "eight": (EIGHT, False)}


class Peer:
    """A peer's process."""

    def __init__(self, module: str, setting: dict[str, Any], python: str = sys.executable, root: Path = ROOT) -> None:
        file = ROOT / "benchmarks" / "peers" / f"{module}.py"
        code = (  # the peers' modules are this checkout's, and `spring` is that of `root`
            "import runpy, sys; import benchmarks.peers.worker; "
            f"sys.argv[:1] = []; sys.path.insert(0, {str(root)!r}); runpy.run_path({str(file)!r}, run_name='__main__')"
        )
        command = [python, "-c", code, module, json.dumps(setting)]
        spins = SHORT_SPINS if module == "ours" and root == ROOT else {}  # as the page's model has them
        environment = {**spins, **os.environ, "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
            start_new_session=True,  # vLLM's process has processes of its own
        )
        self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A peer has ended: its message is above.")
        return json.loads(line)

    def answer(self, ks: Sequence[int], again: bool) -> tuple[float, float, list[list[int]]]:
        """Seconds to the first token of all and to the end, and the new ids where the peer gives them."""
        assert self._process.stdin is not None
        print(json.dumps({"ks": list(ks), "again": again}), file=self._process.stdin, flush=True)
        first, total, ids = self._read()
        return first, total, ids

    def close(self) -> None:
        """End the process, and those that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def settings() -> dict[str, Any]:
    """Prompts and places of the model, for all peers."""
    folder, gguf = embedded_model(print), gguf_file()
    if folder is None or gguf is None:
        raise SystemExit("The embedded backbone is not installed: see Makefile.")
    engine = load_engine(precision="fp32")
    prompt = passages_of(engine, PASSAGE_TOKENS)
    before, after = engine.backbone.tokenization.encode(prompt)
    # The ids whose embeddings are the initial virtual tokens, so that all compute the same.
    words = engine.backbone.tokenizer(INSTRUCTION, add_special_tokens=False)["input_ids"]
    words = (words * max(EIGHT))[: max(EIGHT)]
    asked = {k for ks, _ in TASKS.values() for k in ks}
    return {
        "prompt": [prompt.before, prompt.after],
        "ids": {str(k): [*before, *words[:k], *after] for k in sorted(asked)},
        "new_tokens": NEW_TOKENS,
        "folder": str(folder),
        "gguf": str(gguf),
    }


def start(options: argparse.Namespace, stack: ExitStack) -> dict[str, Peer]:
    """The processes of all peers that can be had here."""
    common = settings()
    peers: dict[str, Peer] = {}

    def add(name: str, module: str, precision: str, *place: Any) -> None:
        if any(part in name for part in options.only):
            peers[name] = Peer(module, common | {"precision": precision}, *place)
            stack.callback(peers[name].close)

    if options.old:
        add("before, fp32", "ours", "fp32", sys.executable, options.old)
    for precision in ("fp32", "bf16", "int4", "int4-int8", "int4-fp32"):
        add(f"ours, {precision}", "ours", precision)
    for precision in ("fp32", "bf16"):
        add(f"transformers, {precision}", "plain", precision)
    if importlib.util.find_spec("xllamacpp"):
        add("llama.cpp, Q4_1", "llama_cpp", "")
    if options.vllm:
        add("vLLM, fp32", "vllm", "fp32", options.vllm)
    return peers


def measure(peers: dict[str, Peer], runs: int) -> dict[str, dict[str, float]]:
    """Median seconds of each peer, by name and task; all take their turns in each run."""
    seconds: dict[str, dict[str, list[float]]] = {name: {} for name in peers}
    for run in range(runs + 1):  # the first is a warm-up
        texts: dict[tuple[str, str], list[list[int]]] = {}
        for name, peer in peers.items():
            for task, (ks, again) in TASKS.items():
                if again and not name.startswith(("ours", "before")):
                    continue
                first, total, ids = peer.answer(ks, again)
                texts[name, task] = ids
                if run:
                    seconds[name].setdefault(task, []).append(first if again else total)
                    if task == "two":
                        seconds[name].setdefault("first", []).append(first)
        for (name, task), ids in texts.items():
            if name.endswith("fp32") and ids != texts.get(("ours, fp32", task), ids):
                print(f"run {run}: {name} gave other texts than ours, fp32, for {task}", file=sys.stderr, flush=True)
        print(f"run {run} of {runs} done", file=sys.stderr, flush=True)
    return {name: {task: statistics.median(values) for task, values in of.items()} for name, of in seconds.items()}


def processor() -> str:
    """Its name, and the number of its cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names) or os.cpu_count()} cores of {names[0] if names else platform.processor()}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted runs after one warm-up (default 5)")
    parser.add_argument("--old", type=Path, metavar="CHECKOUT", help="of an earlier version, to compare with")
    parser.add_argument("--vllm", metavar="PYTHON", help="of the environment that has vLLM")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART", help="peers with one of these in their name")
    options = parser.parse_args()
    with ExitStack() as stack:
        medians = measure(start(options, stack), options.runs)
    columns = ("two", "first", "eight", "again")
    print(f"{processor()}; median seconds of {options.runs}")
    print(f"{'':24}" + "".join(f"{column:>9}" for column in columns))
    for name, of in medians.items():
        print(f"{name:24}" + "".join(f"{of[column]:9.3f}" if column in of else f"{'':9}" for column in columns))


if __name__ == "__main__":
    main()
