"""The history of a visit is its visitor's alone, whatever is sent."""

from benchmarks.visitor import OWN, Visitor
from tests.live.conftest import reader
from tests.support.servers import Server

QUESTION = "What is the secret word?"
EXPORTS = ("history_md", "history_csv", "history_json")


async def exported(visitor: Visitor) -> list[str]:
    return [(await visitor.call(name))["history-file"]["text"] for name in EXPORTS]


def test_nobody_gets_the_history_of_another(server: Server, document, with_neighbour) -> None:
    async def attack() -> None:
        async with (
            reader(server, document("turquoise"), "198.51.100.1") as owner,
            Visitor(server.url, "198.51.100.2") as thief,
        ):
            await owner.answer(QUESTION, name=OWN, tokens=3)
            await owner.answer("What is there?", name="Orlo station", tokens=3)
            assert all("turquoise" in text for text in await exported(owner))
            assert not any("turquoise" in text or QUESTION in text for text in await exported(thief))
            for number in range(100):  # not one of the list, which is empty
                response = await thief.post(
                    "run/predict", fn_index=thief.handlers["history_show"].number, data=[number]
                )
                assert "turquoise" not in response.text
                assert number or response.status_code == 200  # as for a visitor who comes back: what is kept is listed
            await thief.call("history_clear")
            assert all(QUESTION in text for text in await exported(owner))
            await owner.call("remove_documents")
            left = await exported(owner)
            assert not any("turquoise" in text or QUESTION in text for text in left)
            assert all("What is there" in text for text in left)

    with_neighbour(attack)
