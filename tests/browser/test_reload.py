"""F5 loses nothing, in this browser alone; removed documents are gone everywhere."""

import re

QUESTION = "What is the secret word of the keeper?"
LISTED = "/turquoise/.test(document.querySelector('#files')?.innerText)"
NOT_LISTED = f"!{LISTED}"
ASKED = f"document.querySelector('#question textarea').value == '{QUESTION}'"
OPEN = "window.springRestored && document.querySelector('#facts b')"


def k_of(page):
    return page.page.input_value("#k input[type=number]")


def reload(page, address=None):
    page.page.goto(address) if address else page.page.reload()
    page.wait(OPEN)
    # The page that goes away closes its connections, and says so to nobody but the console.
    page.errors = [error for error in page.errors if not re.search("aborted|Connection errored out", error)]


def test_a_reload_brings_documents_and_form_back_until_they_are_removed(page, visit, server, address, tmp_path):
    file = tmp_path / "turquoise.txt"
    file.write_text("The secret word of the keeper is turquoise.")
    page.wait(OPEN)
    page.shorten(3)
    page.upload(file)
    page.wait(f"{LISTED} && !document.querySelector('#question textarea').value")  # the sample's question is gone
    page.type(QUESTION)
    page.page.get_by_label("none", exact=True).check()
    page.page.fill("#k input[type=number]", "12")
    page.page.press("#k input[type=number]", "Tab")
    page.wait("JSON.parse(sessionStorage.getItem('spring-form')).k == 12")
    key = page.page.evaluate("localStorage.getItem('spring-key')")

    reload(page)
    page.wait(f"{LISTED} && {ASKED}")
    page.wait("document.querySelector('#collection input:checked').value == 'Your documents'")
    assert k_of(page) == "12"
    assert page.page.is_checked("#baseline input[value=none]")
    page.ask()
    assert "turquoise" in page.text("#passages")
    assert page.page.locator("#answers .answer").count() == 2
    assert "3 tokens" in page.text("#answers")
    stranger = visit()
    stranger.wait(OPEN)
    assert stranger.page.evaluate("localStorage.getItem('spring-key')") is None
    assert "turquoise" not in stranger.page.content()
    assert stranger.page.input_value("#question textarea") != QUESTION
    tab = page.context.new_page()  # of the same browser: the same documents, a form of its own
    tab.goto(address)
    tab.wait_for_function(LISTED)
    assert tab.input_value("#question textarea") != QUESTION

    page.shorten(256)
    page.start()
    page.wait_writing()
    with server.paused():
        page.page.click("#remove")
        page.wait("!document.querySelector('#passages').innerText.trim()")
    page.wait_idle()
    page.wait("/Your documents are removed/.test(document.querySelector('#status').innerText)")
    assert "turquoise" not in page.text("#page")
    tab.wait_for_function(NOT_LISTED)
    page.open_tab("History")
    page.wait("/Nothing is kept yet/.test(document.querySelector('#history-status').innerText)")
    reload(page, f"{address}?q=Another%3F")
    page.wait("document.querySelector('#question textarea').value == 'Another?'")
    assert k_of(page) == "12"
    assert not page.page.is_checked("#collection input[value='Your documents']")
    assert page.page.evaluate("localStorage.getItem('spring-key')") is None
    assert page.page.evaluate(NOT_LISTED)
    assert not any(key in url for url in page.requested)
