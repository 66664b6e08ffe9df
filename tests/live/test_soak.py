"""The soak test, small: `make soak` is the same for longer."""

import asyncio

from benchmarks.soak import soak


def test_many_visitors_at_random_lose_and_mix_nothing(server) -> None:
    figures = asyncio.run(soak(server.url, server.process.pid, seconds=15, visitors=20, tokens=4))
    assert figures["problems"] == []
    assert figures["answered"] > 20
    assert figures["compared_alone"] > 5
    server.wait(lambda: not server.uploaded)
