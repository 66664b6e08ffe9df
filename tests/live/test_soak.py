"""The soak test, small: `make soak` is the same for longer."""

from benchmarks.soak import soak
from tests.support.servers import HANG, in_a_loop


def test_many_visitors_at_random_lose_and_mix_nothing(server) -> None:
    figures = in_a_loop(soak(server.url, server.process.pid, seconds=HANG, visitors=6, tokens=4, answers=8))
    assert figures["problems"] == []
    assert figures["answered"] >= 8
    assert figures["compared_alone"] > 1
    server.wait(lambda: not server.uploaded)
