"""Visitors' documents: each sees its own, files leave the disk, and room runs out for nobody but the newcomer."""

import gc
from concurrent.futures import Future

import pytest

from benchmarks.visitor import Visitor
from spring.rag.library import load_samples
from spring.settings import AppSettings
from spring.web.launch import launch
from spring.web.visitors import sessions
from tests.live.conftest import reader
from tests.support.servers import in_a_loop, until

QUESTION = "What is the secret word of the keeper?"


def test_two_visitors_with_the_same_file_do_not_take_it_from_each_other(server, document, with_neighbour) -> None:
    async def attack() -> None:
        file = document("turquoise")
        async with Visitor(server.url, "198.51.100.1") as first, Visitor(server.url, "198.51.100.2") as second:
            [mine], [theirs] = await first.upload(file), await second.upload(file)
            assert mine["path"] != theirs["path"]
            for visitor, file_of in ((first, mine), (second, theirs)):
                assert await visitor.read_uploads([file_of]) == "turquoise.txt: 1 page, 1 passage"
            again = await second.read_uploads([mine])
            assert again == "The files are no longer here: please upload them again."

    with_neighbour(attack)


def test_nobody_sees_anothers_documents(server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with (
            reader(server, document("turquoise"), "198.51.100.1") as first,
            reader(server, document("magenta"), "198.51.100.2") as second,
            Visitor(server.url, "198.51.100.3") as third,
        ):
            for visitor, word, other in ((first, "turquoise", "magenta"), (second, "magenta", "turquoise")):
                _, _, passages = await visitor.answer(QUESTION)
                assert word in passages
                assert other not in passages
            assert (await third.answer(QUESTION))[0].startswith("Upload a document first")
            await first.call("remove_documents")
            assert (await first.answer(QUESTION))[0].startswith("Upload a document first")

    with_neighbour(attack)


def test_a_flood_of_sessions_is_refused_and_pushes_nobody_out(server, document, tmp_path, with_neighbour) -> None:
    large = tmp_path / "large.txt"
    large.write_text(" ".join(f"word{i}" for i in range(60_000)))  # 0.5 MB, some 4 MB of memory with its index

    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as visitor:
            line = await visitor.add_documents(large)
            assert line.startswith("These documents need ")
            assert line.endswith(" a visitor has 2 MB: please upload fewer.")
        medium = tmp_path / "medium.txt"
        medium.write_text(" ".join(f"word{i}" for i in range(6_000)))
        lines, visitors = [], []
        for _ in range(8):
            visitors.append(Visitor(server.url, "198.51.100.1"))
            await visitors[-1].__aenter__()
            lines.append(await visitors[-1].add_documents(medium))
        assert lines[0].startswith("medium.txt: 1 page")
        assert lines[-1] == "There is no room for more documents now: please try again in a few minutes."
        async with reader(server, document("turquoise"), "198.51.100.7"):  # another address has room
            pass
        for visitor in visitors:
            await visitor.call("remove_documents")
            await visitor.__aexit__()

    with_neighbour(attack)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Gradio leaves its server's event loop open
def test_documents_expire_when_idle_and_soon_after_the_page_is_closed(
    llama_engine, document, tmp_path, monkeypatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(sessions, "CLOCK", lambda: now[0])
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "files"))
    for name in ("GRADIO_ANALYTICS_MAX_EVENTS", "GRADIO_ANALYTICS_CACHE_FREQUENCY"):
        monkeypatch.setenv(name, "1")
    engine = Future()
    engine.set_result(llama_engine)
    with launch(engine, load_samples()[:1], AppSettings.from_environment({})) as site:

        async def visit() -> None:
            async with Visitor(site.address) as visitor:
                await visitor.add_documents(document("turquoise"))
                for minutes in (59, 59):
                    now[0] += minutes * 60
                    assert "turquoise" in (await visitor.answer(QUESTION, tokens=2))[2]
                now[0] += 3600
                status, _, _ = await visitor.answer(QUESTION, tokens=2)
                assert status == (
                    "Your documents are no longer here (they are kept for 60 minutes after their last use, and for 10 "
                    "without a connection): please upload them again."
                )
                assert site.shared.sessions.nbytes == 0
                await visitor.add_documents(document("turquoise"))
                assert site.shared.sessions.nbytes > 0

            def forgotten() -> bool:
                now[0] += sessions.LEFT
                site.shared.sessions.tidy()
                return not len(site.shared.sessions)

            await until(forgotten)

        in_a_loop(visit())
    gc.collect()
