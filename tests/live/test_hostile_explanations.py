"""Why this answer? Whatever is sent, nobody gets an explanation of what another visitor asked."""

import asyncio

from benchmarks.visitor import Outputs, Visitor, text_of
from spring.web.tabs.explain import GONE
from tests.live.conftest import reader
from tests.support.servers import Server

QUESTION = "What is the secret word?"


async def explain(visitor: Visitor, number: object, ticket: object = None) -> Outputs:
    """Press the button; returns what the page shows in the end."""
    begun = (await visitor.call("explain_begin"))["explain_ticket"] if ticket is None else ticket
    shown: Outputs = {}
    async for shown in visitor.stream("explain_stream", explain_ticket=begun, explained=number):  # noqa: B007
        pass
    return shown


def test_only_ones_own_answers_are_explained(server: Server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with (
            reader(server, document("turquoise"), "198.51.100.1") as owner,
            Visitor(server.url, "198.51.100.2") as thief,
        ):
            shown: Outputs = {}
            async for shown in owner.compare(question=QUESTION, collection="Your documents", max_new_tokens=3):  # noqa: B007
                pass
            number = shown["explained"]
            for stolen in (number, 0, -1, 1e300, None):
                assert text_of((await explain(thief, stolen))["explain-status"]) == GONE
            ticket = (await owner.call("explain_begin"))["explain_ticket"]
            assert text_of((await explain(thief, number, ticket)).get("explain-status", "")) in ("", "Stopped.")
            mine = await explain(owner, number)
            assert "turquoise.txt, page 1" in text_of(mine["bars"])
            async with Visitor(server.url, "198.51.100.3") as flood:  # the newest of one visitor counts
                tickets = [(await flood.call("explain_begin"))["explain_ticket"] for _ in range(50)]
                await asyncio.gather(
                    *(flood.join("explain_stream", explain_ticket=t, explained=number) for t in tickets)
                )
                assert (await owner.answer(QUESTION, name="Orlo station", tokens=3))[1]
            await owner.call("remove_documents")
            assert text_of((await explain(owner, number))["explain-status"]) == GONE

    with_neighbour(attack)
