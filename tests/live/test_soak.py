"""The soak test, small: `make soak` is the same for longer."""

from pathlib import Path

from benchmarks.soak import soak
from tests.support.servers import HANG, in_a_loop


def test_many_visitors_at_random_lose_and_mix_nothing(server) -> None:
    figures = in_a_loop(soak(server.url, server.process.pid, seconds=HANG, visitors=6, tokens=4, answers=8))
    assert figures["problems"] == []
    assert figures["answered"] >= 8
    assert figures["compared_alone"] > 1
    server.wait(lambda: not server.uploaded)


def test_the_page_has_no_torch_of_its_own(server) -> None:
    # The model has a process of its own; what the page imports, libraries included, must start without its seconds.
    loaded = {Path(mapped.path) for mapped in server.process.memory_maps()}
    assert any("tokenizers" in path.name or "pydantic" in path.name for path in loaded)
    assert not [path for path in loaded if path.name.startswith("libtorch")]
