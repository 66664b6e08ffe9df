"""The soak test, small: `make soak` is the same for longer."""

from benchmarks.soak import soak
from tests.live.servers import in_a_loop


def test_many_visitors_at_random_lose_and_mix_nothing(server) -> None:
    figures = in_a_loop(soak(server.url, server.process.pid, seconds=12, visitors=12, tokens=4))
    assert figures["problems"] == []
    assert figures["answered"] > 20
    assert figures["compared_alone"] > 5
    server.wait(lambda: not server.uploaded)
