"""The page, here and on Hugging Face Spaces: `python app.py`."""

import time

started = time.perf_counter()

import os  # noqa: E402 - the clock starts before the imports
import sys  # noqa: E402
import threading  # noqa: E402

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # the page asks no other machine for anything

from spring.errors import SpringError  # noqa: E402
from spring.generation import load_engine  # noqa: E402
from spring.samples import load_samples  # noqa: E402
from spring.settings import AppSettings  # noqa: E402
from spring.ui import launch  # noqa: E402


def main() -> None:
    """Load the model, serve the page, and say what the seconds went to."""
    imported = time.perf_counter()
    settings = AppSettings.from_environment()
    engine = load_engine(settings.backbone, settings.tokens, settings.precision, settings.cache_megabytes * 2**20)
    loaded = time.perf_counter()
    address = launch(engine, load_samples(), settings.upload_megabytes)
    ready = time.perf_counter()
    print(
        f"{address} is ready after {ready - started:.1f} s: imports {imported - started:.1f} s, "
        f"model {loaded - imported:.1f} s, page {ready - loaded:.1f} s.",
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
