"""What a visitor does on the page, and what the visitor then sees."""

from docx import Document
from playwright.sync_api import Route
from reportlab.pdfgen.canvas import Canvas

STATUS = "document.querySelector('#status')"
FIRST = "What is the oldest book in the Ludo Fenwright Library?"


def pdf(path, *pages):
    canvas = Canvas(str(path))
    for lines in pages:
        for number, line in enumerate(lines):
            canvas.drawString(72, 760 - 16 * number, line)
        canvas.showPage()
    canvas.save()
    return path


def test_the_first_comparison_is_one_click_away_and_asks_no_other_machine(page, address):
    assert page.page.input_value("#question textarea") == FIRST
    page.shorten(8)
    page.ask()
    titles = page.page.locator("#answers h3").all_inner_texts()
    assert titles == ["Without virtual tokens", "In words (worked examples)", "With 50 virtual tokens"]
    assert "first token" in page.text("#answers .meter >> nth=0")
    assert "ludo-fenwright-library" in page.text("#passages")
    assert "oldest" in page.page.locator("#passages mark.q").all_inner_texts()
    assert "exact match" in page.text("#answers")  # the example brings its golden answer
    assert "contains it" in page.text("#answers")
    assert {url for url in page.requested if not url.startswith((address, "data:", "blob:"))} == set()


def test_all_answers_stream_at_the_same_time(page, server):
    page.type("Tell everything about the bell shrew and its nests.")
    page.shorten(256)
    page.start()
    page.wait_writing()
    with server.paused():
        assert page.page.locator("#answers .cursor").count() == 3
        early = page.answer(0)
        page.page.click("#stop")
    page.wait("document.querySelectorAll('#answers .cursor').length == 0")
    assert page.answer(0).startswith(early[:3])


def test_stop_keeps_what_is_written_and_enter_asks_again(page, server):
    page.shorten(256)
    page.start()
    page.wait_writing()
    with server.paused():
        page.page.click("#stop")
        page.wait(f"{STATUS}.innerText.includes('Stopped')")
    page.wait("document.querySelectorAll('#answers .cursor').length == 0")
    kept = page.answer(0)
    assert kept
    page.page.wait_for_timeout(1000)
    assert page.answer(0) == kept
    page.shorten(3)
    page.type("What clear ringing squeak does the bell shrew give?")
    page.page.press("#question textarea", "Enter")
    page.wait("document.querySelector('#answers .asked')?.innerText.includes('bell shrew')")
    page.wait_idle()
    assert "cut at the maximum" in page.text("#answers")


def test_releasing_the_k_slider_asks_again_from_the_cache(page):
    page.shorten(3)
    page.ask("Who built the Mess Hall?")
    track = page.page.locator("#k input[type=range]").bounding_box()
    middle = track["y"] + track["height"] / 2
    page.page.mouse.move(track["x"] + track["width"] - 8, middle)
    page.page.mouse.down()
    page.page.mouse.move(track["x"] + track["width"] * 0.2, middle, steps=4)
    page.page.mouse.up()
    k = page.page.input_value("#k input[type=number]")
    assert 5 < int(k) < 15
    page.wait(f"document.querySelector('#answers').innerText.includes('With {k} virtual tokens')")
    page.wait_idle()
    assert "taken from the cache" in page.text("#status")


def test_a_third_answer_is_told_in_words_and_what_the_model_saw_has_three_parts(page):
    page.shorten(3)
    page.page.get_by_label("instruction", exact=True).check()
    page.ask()
    assert page.page.locator("#answers h3").all_inner_texts()[1] == "In words (instruction)"
    page.page.get_by_text("What the model saw").click()
    assert page.text("#prompt pre .before").startswith("[1] ")
    assert page.page.locator("#prompt pre .seam i").count() == 50
    assert "According to the previous relevant passages" in page.text("#prompt")
    assert page.text("#prompt pre .after") == f"Question: {FIRST}\nAnswer:"
    colours = {
        page.page.eval_on_selector(f"#prompt pre .{part}", "e => getComputedStyle(e).backgroundColor")
        for part in ("before", "seam", "after")
    }
    assert len(colours) == 3


def test_documents_are_uploaded_read_and_asked_about(page, tmp_path):
    good = pdf(tmp_path / "harvest.pdf", ["The harvest."], ["The zorbek orchard was planted by Ulla Menk in 1931."])
    word = Document()
    word.add_paragraph("The quillan bridge has seven arches.")
    word.save(tmp_path / "bridge.docx")
    (tmp_path / "broken.pdf").write_bytes(b"this is no PDF at all")
    page.upload(good, tmp_path / "bridge.docx", tmp_path / "broken.pdf")
    page.page.wait_for_selector(".files li")
    lines = page.page.locator(".files li").all_inner_texts()
    assert lines[0].startswith("broken.pdf: ")  # what went wrong comes first
    assert lines[1].startswith("harvest.pdf: 2 pages, 2 passages")
    assert lines[2].startswith("bridge.docx: 1 page")
    page.wait("getComputedStyle(document.querySelector('#examples')).display == 'none'")  # own documents have none
    page.shorten(3)
    page.ask("Who planted the zorbek orchard?")
    assert "harvest.pdf" in page.text("#passages")
    assert "page 2" in page.text("#passages")
    assert "orlo" not in page.text("#passages").lower()


def test_two_visitors_never_see_each_others_documents(visit, tmp_path):
    first, second = visit(), visit()
    second.page.get_by_text("Your documents", exact=True).click()
    second.page.click("#compare")
    second.wait(f"{STATUS}.innerText.includes('Upload a document first')")
    for visitor, secret in ((first, "vermilion"), (second, "turquoise")):
        path = tmp_path / f"{secret}.txt"
        path.write_text(f"The secret word of the lighthouse keeper is {secret}.")
        visitor.upload(path)
        visitor.page.wait_for_selector(".files li")
        visitor.shorten(3)
    for visitor, mine, other in ((first, "vermilion", "turquoise"), (second, "turquoise", "vermilion")):
        visitor.ask("What is the secret word of the lighthouse keeper?")
        assert mine in visitor.text("#passages")
        assert other not in visitor.page.content()


def test_hostile_documents_and_questions_stay_text(page, tmp_path):
    image, script = "<img src=x onerror=\"document.title='owned'\">", "<script>document.title='owned'</script>"
    hostile = f"{image} {script} ${{document.title='owned'}}"
    path = tmp_path / "hostile.html.txt"
    path.write_text(f"The kraken report says {hostile} and {{{{7*7}}}} to everybody.")
    page.upload(path)
    page.page.wait_for_selector(".files li")
    page.shorten(3)
    page.ask(f"What says the kraken report? {hostile}")
    page.page.get_by_text("What the model saw").click()
    assert hostile in page.text("#passages")
    assert hostile in page.text("#prompt pre .before")
    assert "{{7*7}}" in page.text("#passages")
    assert page.page.title() == "SPRING Live"
    assert page.page.locator("#passages img, #prompt img, #passages script").count() == 0


def test_errors_are_one_sentence_and_lose_nothing(page):
    page.type("   ")
    page.page.click("#compare")
    page.wait(f"{STATUS}.innerText.includes('Please type a question.')")
    page.wait_idle()
    page.shorten(3)
    page.ask("Xylophonist quokkas?")
    assert page.text("#answers .alone >> nth=0").startswith("None of the words occur in your documents: what follows")
    assert "None of the words" not in page.text("#status")
    assert page.page.input_value("#question textarea") == "Xylophonist quokkas?"


def test_choosing_a_collection_changes_the_examples_and_keeps_a_typed_question(page):
    page.page.get_by_text("Space missions", exact=True).click()
    page.wait("document.querySelector('#question textarea').value.includes('volcanic plume')")
    page.type("My own question about Gagarin")
    page.page.get_by_text("Everyday inventions", exact=True).click()
    page.wait("document.querySelector('button.example').innerText.includes('Thomas Saint')")
    assert page.page.input_value("#question textarea") == "My own question about Gagarin"
    page.type("")
    held: list[Route] = []  # requests of the page, which arrive late
    page.page.route("**/run/predict", lambda route: held.append(route))  # playwright asks for its signature
    page.page.get_by_text("Space missions", exact=True).click()
    page.page.wait_for_timeout(300)
    page.type("Typed while the examples change?")
    page.page.unroute("**/run/predict")  # and lets them go on
    page.wait("document.querySelector('button.example').innerText.includes('volcanic plume')")
    page.page.wait_for_timeout(100)
    assert held
    assert page.page.input_value("#question textarea") == ("Typed while the examples change?")
    page.page.get_by_text("Everyday inventions", exact=True).click()
    page.wait("document.querySelector('button.example').innerText.includes('Thomas Saint')")
    page.shorten(3)
    page.page.locator("button.example").nth(1).click()
    page.wait("document.querySelector('#passages').innerText.includes('post-it-note')")
    page.wait_idle()
    assert "sticky note" in page.page.input_value("#question textarea")


def test_nothing_sticks_out_and_text_can_be_read(visit):
    page = visit("?__theme=dark", viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.shorten(3)
    page.ask()
    page.page.get_by_text("What the model saw").click()
    for _ in page.widths(390, 1280):
        for theme in page.themes():
            for selector in (
                "#answers .answer",
                "#passages p",
                "#passages mark.q",
                "#prompt pre .before",
                "#prompt pre .after",
            ):
                assert page.contrast(selector) >= 4.5, (selector, theme)
            assert page.contrast("input[type=radio]:not(:checked) >> visible=true", "borderTopColor") >= 3, theme


def test_controls_have_names_and_the_keyboard_reaches_them(page):
    for name in ("Question", "k, virtual tokens", "Passages retrieved"):
        assert page.page.get_by_label(name).count() >= 1, name
    page.page.focus("#question textarea")
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.id") == "compare"
    page.shorten(3)
    page.ask()
    assert page.page.locator("#answers section[aria-label] [aria-live=polite]").count() == 3
    page.page.focus("#k input[type=range]")
    page.page.keyboard.press("Home")
    page.page.keyboard.press("ArrowRight")
    page.wait("document.querySelector('#answers').innerText.includes('With 1 virtual token')")
    page.wait_idle()


def test_a_closed_tab_frees_the_model(visit, server):
    # Each from an address of its own, as one address has one place in the queue.
    first = visit()
    second, third = (visit(extra_http_headers={"X-Forwarded-For": f"198.51.100.{i}"}) for i in (2, 3))
    for visitor, tokens in ((first, 256), (second, 3), (third, 3)):
        visitor.shorten(tokens)
    first.start()
    first.wait_writing()
    with server.paused():  # so that the answer is not finished before the tab is closed
        for visitor, place in ((second, "you are next"), (third, "number 2")):
            visitor.start()
            visitor.wait(f"{STATUS}.innerText.includes('{place}')")
        first.page.close()
        third.wait(f"{STATUS}.innerText.includes('you are next')")
    for visitor in (second, third):
        visitor.wait_idle()
        assert "3 tokens" in visitor.text("#answers")


def test_a_lost_connection_comes_back_by_itself(page):
    page.context.set_offline(True)
    page.page.click("#compare")
    page.page.get_by_text("Connection to the server was lost").first.wait_for()
    with page.page.expect_navigation():
        page.context.set_offline(False)
    page.page.wait_for_selector("#facts b")
    page.shorten(3)
    page.ask()
    assert "exact match" in page.text("#answers")
    page.errors.clear()  # what the browser says of requests without a network


def test_an_odd_temperature_is_no_reason_to_get_stuck(page):
    page.shorten(2)
    page.page.get_by_label("number input for Temperature").fill("1e-300")
    page.page.keyboard.press("Tab")
    page.ask()
    assert "tokens" in page.text("#answers .meter >> nth=2")


def test_a_blind_test_hides_what_is_what_until_the_visitor_chooses(page):
    page.shorten(3)
    page.page.get_by_label("Blind test").check()
    page.ask()
    page.page.wait_for_selector("#reveal")
    assert page.page.locator("#answers h3").all_inner_texts() == ["A", "B", "C"]
    assert page.page.locator("#prompt pre").count() == 0
    assert page.page.locator("#explain").is_disabled()
    borders = "cards => new Set([...cards].map(card => getComputedStyle(card).borderTopColor)).size"
    assert page.page.eval_on_selector_all("#answers .card", borders) == 1
    page.page.get_by_label("B", exact=True).check()
    page.page.click("#reveal")
    page.page.wait_for_selector("#tally p")
    assert page.text("#status").startswith("You chose B: A was ")
    assert "With 50 virtual tokens" in page.text("#answers")
    assert "1 of 1" in page.text("#tally")
    page.wait("!document.querySelector('#explain').disabled")
