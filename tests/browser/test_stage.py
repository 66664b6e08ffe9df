"""The page on a stage, on a phone, and opened by a link."""

STAGE = {"viewport": {"width": 1280, "height": 720}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
LARGEST_TEXT = "e => Math.min(...[...e.querySelectorAll('.answer')].map(a => parseFloat(getComputedStyle(a).fontSize)))"


def k_of(page):
    return int(page.page.input_value("#k input[type=number]"))


def test_the_stage_shows_question_and_answers_in_large_type_and_one_line_of_settings(visit):
    page = visit("?stage=1&__theme=dark", color_scheme="dark", **STAGE)
    page.wait("document.querySelector('#page.stage')")
    assert not page.page.locator("#k").is_visible()
    assert page.text("#fold").startswith("k = 50 · 3 passages · ")
    page.shorten(12)
    page.page.click("#fold")
    page.page.keyboard.press("Escape")  # out of every field
    page.page.keyboard.press("/")
    page.page.keyboard.type("Which dogs did the station keep in winter?")
    page.page.keyboard.press("Enter")
    page.wait("document.querySelector('#answers .asked')?.textContent.includes('dogs')")
    page.wait_idle()
    assert page.page.eval_on_selector("#answers", LARGEST_TEXT) >= 28
    assert page.page.locator("#answers .answer").last.bounding_box()["y"] < 500
    assert page.page.locator("body.dark").count() == 1
    for theme in page.themes():
        for selector in ("#answers .answer", "#fold", "#answers h3"):
            assert page.contrast(selector) >= 7, (selector, theme)
    assert not page.page.locator("#header").is_visible()
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_keys_of_the_stage_change_k_and_stop_and_do_nothing_elsewhere(page, server):
    page.shorten(3)
    page.page.keyboard.press("Escape")
    page.page.evaluate("document.activeElement.blur()")
    page.page.keyboard.press("ArrowLeft")
    assert k_of(page) == 50
    page.page.click("#stage")
    page.page.evaluate("document.activeElement.blur()")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight", "Shift+ArrowLeft"):
        page.page.keyboard.press(key)
    assert k_of(page) == 39
    page.wait("/With 39/i.test(document.querySelector('#answers').innerText)")
    page.wait_idle()
    page.page.keyboard.press("e")  # nothing to explain, or an explanation: no error either way
    page.shorten(256)
    page.page.click("#fold")
    page.start()
    page.wait_writing()
    with server.paused():
        page.page.keyboard.press("Escape")
        page.wait("document.querySelector('#status').innerText.includes('Stopped')")
    page.page.click("#stage")
    assert page.page.locator("#header").is_visible()
    assert "stage" not in page.page.url


def test_a_phone_has_question_button_and_answers_first_and_folds_the_rest(visit):
    page = visit("", **PHONE)
    tops = [page.page.locator(part).bounding_box()["y"] for part in ("#question", "#compare", "#answers", "#fold")]
    assert tops == sorted(tops)
    assert not page.page.locator("#collection, #upload, #k").filter(visible=True).count()
    assert page.page.get_attribute("#question textarea", "enterkeyhint") == "send"
    page.page.click("#fold")
    assert page.page.get_attribute("#fold", "aria-expanded") == "true"
    sizes = page.page.eval_on_selector_all(
        "input:not([type=checkbox], [type=radio], [type=range], [type=file]), textarea",
        "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))",
    )
    assert min(sizes) >= 16


def test_a_link_is_copied_and_asks_its_question_once_for_whoever_opens_it(page, visit, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.get_by_text("Space missions", exact=True).click()
    page.wait("document.querySelector('#question textarea').value.includes('volcanic plume')")
    page.type('What "<b>Vostok</b>" & Gagarin did?')
    page.page.fill("#k input[type=number]", "12")
    page.page.press("#k input[type=number]", "Tab")
    page.page.click("#link")
    page.page.wait_for_selector("#linked svg")
    assert "copied" in page.text("#linked")
    link = page.page.input_value("#linked input")
    assert link.startswith(address)
    assert page.page.evaluate("navigator.clipboard.readText()") == link
    other = visit(link.removeprefix(address))
    other.wait("document.querySelector('#answers .asked')?.innerText == 'What \"<b>Vostok</b>\" & Gagarin did?'")
    other.wait_idle()
    assert "With 12 virtual tokens" in other.text("#answers")
    assert other.page.is_checked("#collection input[value='Space missions']")
    assert "run=" not in other.page.url  # a reload asks nothing
    asked = [url for url in other.requested if "/queue/join" in url]
    assert len(asked) == 1
    page.page.get_by_text("Your documents", exact=True).click()
    page.page.click("#link")
    page.wait("document.querySelector('#linked').innerText.includes('your documents stay with you')")


def test_a_link_may_ask_what_is_an_example_of_another_collection(visit):
    question = "For how long can library members borrow books?"
    page = visit(f"?collection=Space+missions&q={question.replace(' ', '+')}")
    page.wait("document.querySelector('#example_0')?.innerText.includes('volcanic plume')")
    page.page.wait_for_timeout(500)  # in which another question was put in its place
    assert page.page.input_value("#question textarea") == question


def test_a_link_that_asks_for_nonsense_is_told_so_and_asks_nothing(visit):
    page = visit("?collection=<b>x</b>&q=%3Cimg+src=x%3E&k=1e9&passages=NaN&run=1")
    page.wait("document.querySelector('#linked').innerText.includes('not followed in full')")
    assert page.page.input_value("#question textarea") == "<img src=x>"
    assert k_of(page) == 50
    assert page.page.locator("#answers .asked").count() == 0
