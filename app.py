"""The page, here and on Hugging Face Spaces: `python app.py`."""

import time

started = time.perf_counter()

import os  # noqa: E402 - the clock starts before the imports
import sys  # noqa: E402
import threading  # noqa: E402
from concurrent.futures import Future  # noqa: E402

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # the page asks no other machine for anything

from spring.answers import Answerer  # noqa: E402
from spring.errors import SpringError  # noqa: E402
from spring.model_process import ModelProcess  # noqa: E402
from spring.samples import load_samples  # noqa: E402
from spring.settings import AppSettings  # noqa: E402
from spring.ui import launch  # noqa: E402


def main() -> None:
    """Serve the page, then load the model, and say what the seconds went to."""
    imported = time.perf_counter()
    settings = AppSettings.from_environment()
    engine: Future[Answerer] = Future()
    site = launch(engine, load_samples(), settings)
    served = time.perf_counter()
    print(
        f"{site.address} answers after {served - started:.1f} s: imports {imported - started:.1f} s, "
        f"page {served - imported:.1f} s. The model is loading ...",
        flush=True,
    )
    try:
        model = ModelProcess(
            backbone=settings.backbone,
            tokens=settings.tokens,
            precision=settings.precision,
            cache_bytes=settings.cache_megabytes * 2**20,
        )
        engine.set_result(model)
    except SpringError as error:
        engine.set_exception(error)
        raise
    loaded = time.perf_counter()
    print(
        f"The model answers after {loaded - started:.1f} s: {loaded - served:.1f} s in its process {model.pid}.",
        flush=True,
    )
    threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except SpringError as error:
        sys.exit(f"spring: {error}")
    except KeyboardInterrupt:
        pass
