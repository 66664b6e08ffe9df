"""Reloaded pages, blind tests and changed passages: whatever is sent, each visitor gets their own."""

import json
from pathlib import Path
from typing import Any

from benchmarks.visitor import API, OWN, Outputs, Visitor, text_of
from spring.web.tabs.streaming import REMOVED
from spring.web.tabs.what_if import GONE, WRONG
from spring.web.visitors.blind_tests import NO_TEST
from tests.live.test_hostile_history import exported
from tests.support.servers import Server

QUESTION = "What is the secret word?"


async def key_after(visitor: Visitor, file: Path) -> str:
    """Upload a file; returns the key that the browser keeps."""
    shown: Outputs = {}
    async for shown in visitor.stream("upload", upload=await visitor.upload(file)):  # noqa: B007
        pass
    return str(shown["visitor-key"])


async def resume(visitor: Visitor, key: object, form: object = None) -> str:
    """Open the page again; returns everything that comes."""
    return json.dumps(await visitor.call("resume", **{"resume-key": key, "resume-form": form}))


def test_only_the_key_brings_documents_back_and_removing_them_ends_all(server: Server, document, with_neighbour):
    async def attack() -> None:
        async with (
            Visitor(server.url, "198.51.100.1") as owner,
            Visitor(server.url, "198.51.100.1") as again,
            Visitor(server.url, "198.51.100.2") as thief,
        ):
            key = await key_after(owner, document("turquoise"))
            await owner.answer(QUESTION, tokens=2)
            for wrong in ("", None, key[:-1], f"{key}A", "A" * 43, [key], {"key": key}, 7, "x" * 200_000):
                assert "turquoise" not in await resume(thief, wrong)
            handler = thief.handlers["resume"]
            call = {"session_hash": thief.session, "fn_index": handler.number}
            for origin in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                got = await thief.client.post(f"{API}/run/predict", json=call | {"data": [key, None]}, headers=origin)
                assert "turquoise" not in got.text
            large = await thief.client.post(f"{API}/run/predict", json=call | {"data": [key, "x" * 300_000]})
            assert large.status_code == 413
            assert (await thief.answer(QUESTION))[0].startswith("Upload a document first")

            assert "turquoise.txt" in await resume(again, key, {"question": "<b>", "k": 1e300, "collection": [OWN]})
            assert "turquoise" in (await again.answer(QUESTION, tokens=2))[2]
            cards = passages = status = ""
            async for status, cards, passages in owner.ask(QUESTION, tokens=256):  # noqa: B007
                if "turquoise" in passages:
                    await again.call("remove_documents")
            assert text_of(status) == REMOVED
            assert "turquoise" not in cards + passages
            for visitor in (owner, again):
                assert not any("turquoise" in text for text in await exported(visitor))
                assert (await visitor.answer(QUESTION))[0].startswith("Upload a document first")
            assert "turquoise" not in await resume(again, key)
            assert key not in server.log.read_text()

    with_neighbour(attack)


def test_a_blind_test_is_revealed_to_its_visitor_once(server: Server, with_neighbour) -> None:
    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as owner, Visitor(server.url, "198.51.100.2") as thief:
            await owner.answer("What is there?", name="Orlo station", tokens=2, blind=True)
            number = owner.handlers["reveal"].number
            for choice in ("A", {"A": 1}, [7], ["D"], ["A", "A"], ["A"] * 1000, [["A"]], ["x" * 100_000]):
                refused = await owner.post("run/predict", fn_index=number, data=[choice])
                assert "virtual tokens" not in refused.text
            assert text_of((await thief.call("reveal", **{"blind-choice": []}))["status"]) == NO_TEST
            assert text_of((await owner.call("reveal", **{"blind-choice": ["A"]}))["status"]).startswith("You chose A")
            assert text_of((await owner.call("reveal", **{"blind-choice": ["A"]}))["status"]) == NO_TEST

    with_neighbour(attack)


def test_only_passages_that_were_shown_are_changed(server: Server, with_neighbour) -> None:
    async def again(visitor: Visitor, base: object, edits: object) -> str:
        shown: dict[str, Any] = {}
        async for shown in visitor.compare(base=base, edits=edits, max_new_tokens=2):  # noqa: B007
            pass
        return text_of(shown["status"])

    async def attack() -> None:
        async with Visitor(server.url, "198.51.100.1") as owner, Visitor(server.url, "198.51.100.2") as thief:
            shown: Outputs = {}
            async for shown in owner.compare(collection="Orlo station", max_new_tokens=2):  # noqa: B007
                pass
            base, rank = shown["base"], {"rank": 1, "text": None}
            for number in (base, 0, -1, 1e300, None):
                assert await again(thief, number, [rank]) == GONE
            nested: object = "deep"
            for _ in range(50):
                nested = [nested]
            for edits in (
                "x", 7, {"rank": 1}, [1], [[rank]], [rank] * 2, [rank] * 300, [{"rank": 99}], [{"rank": True}],
                [{"rank": "1"}], [{"rank": 1.0}], [{"rank": 1, "text": 7}], [{"rank": 1, "text": [""]}], [None], nested,
            ):  # fmt: skip
                assert await again(owner, base, edits) == WRONG
            assert "is empty" in await again(owner, base, [{"rank": 1, "text": " \n"}])
            assert "has 200,000 characters" in await again(owner, base, [{"rank": 1, "text": "x" * 200_000}])
            for edits in ("x", nested, {"a": 1}):  # they come with every question, and count for none
                begun = owner.handlers["compare_begin"].data({"edits": edits})
                response = await owner.post("run/predict", fn_index=owner.handlers["compare_begin"].number, data=begun)
                assert response.status_code == 200
            assert (await owner.answer("What is there?", name="Orlo station", tokens=2))[1]

    with_neighbour(attack)
