"""A person with several tabs, an input method, and another tab in front."""

import httpx


def test_seven_tabs_of_one_browser_load_and_answer(visit):
    """Gradio holds a connection for each tab, and a browser opens six."""
    visitor = visit()
    first = visitor.page
    others = [visitor.context.new_page() for _ in range(6)]
    for tab in others:
        tab.goto(first.url)
        tab.wait_for_selector("#facts b")
    for tab in (first, others[-1]):
        visitor.page = tab
        visitor.shorten(2)
        visitor.ask("Who designed the lighthouse tower at Skerl Point?")
        assert "skerl-point-lighthouse.md" in visitor.text("#passages")
    visitor.page = first


def test_a_tab_that_leaves_says_so(visit, address):
    tab = visit().page
    tab.evaluate("navigator.sendBeacon = told => sessionStorage.setItem('told', told)")  # playwright sees no beacons
    tab.reload()
    told = tab.evaluate("sessionStorage.getItem('told')")
    assert told.startswith(f"{address}gradio_api/heartbeat/")
    for method in ("GET", "POST"):
        assert httpx.request(method, told + "?beat").status_code == 204


def test_enter_that_confirms_a_word_of_an_input_method_does_not_ask(page):
    page.type("どこですか")
    for event in ({"isComposing": True}, {"keyCode": 229}):
        for kind in ("keydown", "keypress", "keyup"):
            page.page.evaluate(
                """([kind, event]) => document.querySelector('#question textarea').dispatchEvent(
                  new KeyboardEvent(kind, {key: 'Enter', bubbles: true, cancelable: true, ...event}))""",
                [kind, event],
            )
    client = page.page.context.new_cdp_session(page.page)
    page.page.focus("#question textarea")
    client.send("Input.imeSetComposition", {"text": "か", "selectionStart": 1, "selectionEnd": 1})
    for kind in ("rawKeyDown", "keyUp"):
        key = {"type": kind, "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
        client.send("Input.dispatchKeyEvent", key)
    client.send("Input.insertText", {"text": "か"})
    page.page.wait_for_timeout(300)
    assert not any("queue/join" in url for url in page.requested)
    page.shorten(2)
    page.page.focus("#question textarea")
    page.page.keyboard.press("Enter")
    page.wait("document.querySelector('#answers .meter')")
    page.wait_idle()
    assert any("queue/join" in url for url in page.requested)


def test_a_tab_in_the_background_shows_the_whole_answer(visit):
    visitor = visit()
    visitor.shorten(32)
    visitor.start()
    visitor.page.evaluate("""Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'});
      Object.defineProperty(document, 'hidden', {get: () => true});
      window.requestAnimationFrame = () => 0;  // as of a tab that is not drawn
      document.dispatchEvent(new Event('visibilitychange'))""")
    other = visitor.context.new_page()
    other.bring_to_front()
    visitor.wait_idle()
    assert "32 tokens" in visitor.text("#answers")
