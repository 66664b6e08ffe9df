"""The page, here and on Hugging Face Spaces: `python app.py`."""

import time

started = time.perf_counter()

import contextlib  # noqa: E402 - the clock starts before the imports
import gc  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from concurrent.futures import Future  # noqa: E402
from typing import Any  # noqa: E402

gc.disable()  # what is imported stays; looking for garbage in it takes a sixth of the start
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # the page asks no other machine for anything

port = os.environ.get("GRADIO_SERVER_PORT", "7860")  # Gradio reads it while it is imported
if not (port.isdecimal() and 0 < int(port) < 2**16):
    sys.exit(f"spring: GRADIO_SERVER_PORT must be a whole number from 1 to 65535, not {port!r}.")

with contextlib.suppress(ImportError):  # there on Spaces; before torch and Gradio, as on ZeroGPU it changes both
    import spaces  # noqa: F401

from spring.errors import SpringError  # noqa: E402
from spring.generation.interface import Engine  # noqa: E402
from spring.generation.subprocess.client import SubprocessEngine  # noqa: E402
from spring.rag.library import load_samples, open_collections  # noqa: E402
from spring.settings import AppSettings  # noqa: E402
from spring.web.launch import launch  # noqa: E402

gc.freeze()
gc.enable()

RECONNECT_SECONDS = 5.0  # between two attempts to reach the server of a served model


def tell(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.perf_counter() - started:.1f} s: {line}", flush=True)


def main() -> None:
    """Serve the page, then load the model; on ZeroGPU the other way round."""
    tell("imported")
    settings = AppSettings.from_environment()
    engine: Future[Engine] = Future()
    if settings.zero_gpu:
        load(engine, settings)
        serve(engine, settings)
    else:
        serve(engine, settings)
        load(engine, settings)
    threading.Event().wait()


def serve(engine: Future[Engine], settings: AppSettings) -> None:
    """Serve the page."""
    site = launch(engine, [*load_samples(), *open_collections(settings.collections, tell)], settings)
    tell(f"{site.address} answers")


def load(engine: Future[Engine], settings: AppSettings) -> None:
    """Load the model: in a process of its own, on ZeroGPU in this one; or connect to the server that has it."""
    tell("the model is loading ...")
    options: dict[str, Any] = {
        "backbone": settings.backbone,
        "tokens": settings.tokens,
        "precision": settings.precision,
        "cache_bytes": settings.cache_megabytes * 2**20,
    }
    try:
        if settings.engine_url:
            engine.set_result(connect(settings))
        elif settings.zero_gpu:
            from spring.web.zero_gpu import load_for_zero_gpu  # torch takes seconds

            engine.set_result(load_for_zero_gpu(**options))
        else:
            engine.set_result(SubprocessEngine(**options))
    except SpringError as error:
        engine.set_exception(error)
        raise
    tell("the model answers")


def connect(settings: AppSettings) -> Engine:
    """Connect to the server that has the model; wait for one that is not there yet."""
    from spring.generation.openai.engine import OpenAiEngine
    from spring.generation.openai.server import UnreachableError

    while True:
        try:
            return OpenAiEngine(settings.backbone, settings.engine_url, settings.engine_model, settings.engine_key)
        except UnreachableError:
            tell("the model's server cannot be reached yet; it is tried again ...")
            time.sleep(RECONNECT_SECONDS)


if __name__ == "__main__":
    try:
        main()
    except (SpringError, OSError) as error:  # the latter of GRADIO_TEMP_DIR, and of other files and folders
        sys.exit(f"spring: {error}")
    except KeyboardInterrupt:
        pass
