"""What dies, and what the others notice of it."""

import json
import signal

from benchmarks.visitor import Visitor, answers_of, text_of
from tests.live.conftest import reader

QUESTION = "What is the secret word of the keeper?"
DIED = "The model has stopped unexpectedly and is being loaded again: please ask again."


def test_the_model_killed_while_answering_is_loaded_again_and_nothing_is_lost(server, document, with_neighbour) -> None:
    async def attack() -> None:
        file = document("turquoise")
        async with reader(server, file, "198.51.100.1") as first, reader(server, file, "198.51.100.2") as second:
            before = (await second.answer(QUESTION, tokens=4))[1:]
            running = first.ask(QUESTION, tokens=256)
            await anext(running)
            with server.paused():
                waiting = second.ask(QUESTION, tokens=4)
                assert text_of((await anext(waiting))[0]) == "Waiting: you are next."
                server.model.send_signal(signal.SIGKILL)
            last = [shown async for shown in running][-1]
            assert text_of(last[0]) == DIED
            told = [shown async for shown in waiting][-1]  # once the model is loaded, which takes none of its time
            assert (answers_of(told[1]), told[2]) == before
            assert (await second.answer(QUESTION, tokens=4))[1:] == before
            assert (await first.answer(QUESTION, tokens=4))[1:] == before

    with_neighbour(attack)
    assert len([child for child in server.process.children() if child.is_running()]) == 1


def test_what_a_visitor_saw_of_an_error_is_no_traceback(server, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as visitor:
            for fn_index in (-1, 10**6, None):
                response = await visitor.post("queue/join", fn_index=fn_index, data=[])
                assert response.status_code == 400
                assert response.json()["detail"] == "Unknown endpoint; please reload the page."
            response = await visitor.post("run/predict", fn_index=visitor.handlers["compare_begin"].number, data="none")
            assert response.status_code >= 400
            assert "Traceback" not in json.dumps(response.text)

    with_neighbour(attack)
