"""What if: a name is changed in a passage, and the answer of the default backbone follows it."""

import pytest

from spring.models.finder import SHIPPED_TOKENS
from spring.settings import DEFAULT_BACKBONE
from tests.browser.conftest import NOTE_START, WIDE, Visitor
from tests.support.servers import start, stop

JUDGE = "Which judge led the inquiry into the Winch House accident?"


@pytest.fixture
def page(browser, needs_model, tmp_path):
    tokens = SHIPPED_TOKENS / f"{DEFAULT_BACKBONE}.safetensors"
    running = start(DEFAULT_BACKBONE, tokens, tmp_path / "uploads", tmp_path / "log")
    visitor = Visitor(browser.new_page(viewport=WIDE), running.url)
    yield visitor
    assert visitor.errors == []
    visitor.context.close()
    stop(running)


def ask_again(page: Visitor) -> None:
    page.page.evaluate(NOTE_START)
    page.page.click("#again")
    page.wait("window.isStarted")
    page.wait_idle()


def test_the_answer_follows_a_name_that_is_changed_in_a_passage(page) -> None:
    page.page.get_by_label("none", exact=True).check()
    page.shorten(10)
    page.ask(JUDGE)
    assert page.answer(1) == "Judge Palla Wendreth"
    page.page.get_by_label("Edit passage 1").click()
    box = page.page.get_by_label("Text of passage 1")
    box.fill(box.input_value().replace("Palla Wendreth", "Ulla Menk"))
    assert page.text(".passages li .mark >> nth=0") == "edited"
    ask_again(page)
    assert page.answer(1) == "Ulla Menk"
    assert page.page.locator(".passages li.edited").count() == 1
    assert "Wendreth" not in page.text("#passages")
    page.page.get_by_label("Edit passage 1").click()  # back to what the document says, and without it
    page.page.get_by_label("Undo passage 1").click()
    assert "Palla Wendreth" in page.text("#passages")
    for number in (1, 2, 3):
        page.page.get_by_label(f"Use passage {number}").uncheck()
    ask_again(page)
    assert page.text("#answers .alone >> nth=0").startswith("Every passage is left out")
    assert "Wendreth" not in page.answer(1)
    page.ask(JUDGE)  # anew, from all passages as they are
    assert page.page.locator(".passages input:checked").count() == 3
    assert page.answer(1) == "Judge Palla Wendreth"
