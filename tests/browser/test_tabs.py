"""What a visitor does on the tabs Sweep and Evaluate."""

import csv
import json
from itertools import pairwise

from spring.evaluation.differences import differences
from spring.evaluation.runner import Row
from spring.web.html.evaluation import difference_table

FILM = "document.querySelector('#film')"
STATUS = "document.querySelector('#evaluate-status')"
LINE = "svg path[aria-roledescription='line mark']"  # flat, it has no height and is not "visible"
SWEPT = "document.querySelector('#sweep-stop').disabled && !document.querySelector('#sweep').disabled"


def open_sweep(page, tokens):
    page.shorten(tokens)
    page.open_tab("Sweep")
    page.page.click("#sweep")
    page.wait("!document.querySelector('#sweep-stop').disabled")


def open_evaluate(page, questions, ks=(), tokens=2):
    """Ask for little: few questions, k = 0 and `ks`."""
    page.shorten(tokens)
    page.page.get_by_label("none", exact=True).check()
    page.open_tab("Evaluate")
    for k in {1, 5, 20, 50} - {*ks}:
        page.page.locator("#ks label", has_text=str(k)).get_by_text(str(k), exact=True).click()
    page.page.fill("#limit input[type=number]", str(questions))
    page.page.press("#limit input[type=number]", "Tab")


def upload_questions(page, path):
    page.page.get_by_text("Upload a question file").click()
    page.page.set_input_files("#questions input[type=file]", str(path))
    page.page.wait_for_selector(f"#questions :text('{path.stem}')")


def evaluate(page, until="Done"):
    page.page.click("#evaluate")
    page.wait(f"{STATUS}.innerText.includes({json.dumps(until)})")


def downloaded(page):
    with page.page.expect_download() as download:
        page.page.click("#download")
    with open(download.value.path(), encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_sweep_shows_every_k_and_where_the_answer_changes(page, address):
    open_sweep(page, 4)
    page.wait(f"{FILM}.querySelectorAll('.frame').length == 9 && {SWEPT}")
    names = page.page.locator("#film header b").all_inner_texts()
    assert names == ["in words (worked examples)", *(f"k = {k}" for k in (0, 1, 2, 5, 10, 20, 30, 50))]
    texts = page.page.locator("#film .answer").all_inner_texts()[1:]
    marked = page.page.locator("#film .frame").evaluate_all("frames => frames.map(f => f.matches('.changed'))")
    assert marked == [False, False] + [a != b for a, b in pairwise(texts)]
    assert page.page.locator("#film :text('changes here')").count() == sum(marked)
    assert "F1" in page.text("#film .meter >> nth=0")  # the example brings its golden answer
    page.page.wait_for_selector(f"#sweep-plot {LINE}", state="attached")
    assert {url for url in page.requested if not url.startswith((address, "data:", "blob:"))} == set()


def test_stop_keeps_the_sweep_and_the_form_asks_on_the_main_tab_alone(page, server):
    open_sweep(page, 256)
    page.wait(f"[...{FILM}.querySelectorAll('.answer')].some(e => e.innerText.length > 3)")
    with server.paused():
        page.page.click("#sweep-stop")
        page.wait(f"document.querySelector('#sweep-status').innerText.includes('Stopped') && {SWEPT}")
    page.wait(f"{FILM}.querySelectorAll('.cursor').length == 0")
    kept = page.text("#film")
    page.page.press("#question textarea", "Enter")
    page.page.locator("button.example").nth(1).click()
    page.wait("document.querySelector('#question textarea').value.includes('Winch House')")
    page.page.wait_for_timeout(1000)
    assert page.text("#film") == kept
    assert page.page.locator("#answers .asked").count() == 0
    page.shorten(2)
    page.page.click("#compare")
    page.page.wait_for_selector("#answers .asked")  # visible: its tab is in front again
    page.wait_idle()


def test_a_newer_comparison_ends_the_sweep(page):
    open_sweep(page, 256)
    page.wait(f"{FILM}.querySelectorAll('.frame').length == 9")
    page.shorten(2)
    page.page.click("#compare")
    page.wait("document.querySelector('#answers .meter')?.innerText.includes('first token')")
    page.wait_idle()
    page.open_tab("Sweep")
    assert "Stopped." in page.text("#sweep-status")
    assert page.page.is_enabled("#sweep")


def test_the_questions_of_a_collection_are_evaluated(page, address):
    page.open_tab("Evaluate")
    assert "at most 50 questions and 300 seconds" in page.text("#limits")
    open_evaluate(page, 3, ks=(50,))
    page.page.click("#evaluate")
    page.wait("document.querySelectorAll('#scores tbody tr').length == 2")
    page.wait(f"{STATUS}.innerText.includes('Done: 3 questions')")
    assert "The first 3 of 20 questions are asked." in page.text("#evaluate-status")
    assert page.page.locator("#scores tbody th, #scores tbody td:nth-child(2)").all_inner_texts() == [
        "0",
        "3",
        "50",
        "3",
    ]
    page.page.wait_for_selector(f"#evaluate-plot {LINE} >> nth=1", state="attached")
    rows = downloaded(page)
    assert [row["virtual_tokens"] for row in rows] == ["0", "50"] * 3
    assert {url for url in page.requested if not url.startswith((address, "data:", "blob:"))} == set()


def test_the_differences_can_be_filtered_by_kind_and_by_words(page):
    page.open_tab("Evaluate")
    right = {"a": (0, 1, 1), "b": (1, 0, 1)}  # by question; for k = 0, 5 and 20
    rows = [
        Row(id, f"Question {id}?", k, "x", ("x",), right[id][place], 0, 0, 0, "" if k else "plain", 1.0)
        for id in right
        for place, k in enumerate((0, 5, 20))
    ]
    page.page.eval_on_selector(
        "#differences", "(e, html) => { e.innerHTML = html }", difference_table(differences(rows))
    )
    shown = page.page.locator("#differences tbody tr:visible")
    filter_box = page.page.locator("#differences input[type=search]")
    assert shown.count() == 3
    page.page.check("#differences input[value=gained]")
    assert shown.count() == 2
    filter_box.fill("QUESTION 20")
    assert shown.count() == 1
    assert "20" in shown.inner_text()
    filter_box.fill("<img>")
    assert shown.count() == 0
    filter_box.fill("")
    assert shown.count() == 2


def test_a_question_file_with_passages_needs_no_documents(page, tmp_path):
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    path = tmp_path / "mine.jsonl"
    rows = [
        {"id": "=1+1", "question": "Who planted the orchard?", "target": "Ulla", "ret_passages": ["Ulla planted it."]},
        {"id": hostile, "question": "Who?"},
    ]
    path.write_text("\n".join([*map(json.dumps, rows), hostile]))
    page.page.get_by_text("Your documents", exact=True).click()
    open_evaluate(page, 5)
    upload_questions(page, path)
    evaluate(page, "Done: 1 question in")
    assert "2 rows skipped: row 2: no golden answer (its columns are id, question; needed" in page.text(
        "#evaluate-status"
    )
    assert downloaded(page)[0]["id"] == "'=1+1"
    assert page.page.title() == "SPRING Live"


def test_a_file_that_holds_no_question_gets_one_sentence(page, tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("name,place\nUlla,Orlo\n")
    open_evaluate(page, 5)
    upload_questions(page, path)
    evaluate(page, "odd.csv has no row with a question and golden answers.")
    page.wait("!document.querySelector('#evaluate').disabled")
    assert page.page.is_disabled("#download")


def test_stop_keeps_what_is_evaluated_and_a_comparison_goes_on_meanwhile(page):
    open_evaluate(page, 20, tokens=64)
    page.page.click("#evaluate")
    page.wait("document.querySelectorAll('#scores tbody tr').length == 1")
    page.shorten(2)
    page.ask()  # waits until it is answered
    page.open_tab("Evaluate")
    assert page.page.is_enabled("#evaluate-stop")
    page.page.click("#evaluate-stop")
    page.wait(f"{STATUS}.innerText.includes('of 20 questions are done and kept')")
    page.wait("!document.querySelector('#evaluate').disabled")
    assert len(downloaded(page)) == int(page.text("#scores td >> nth=0"))


def test_a_closed_tab_ends_its_evaluation(visit, server):
    first, second = visit(), visit()
    open_evaluate(first, 20, tokens=256)
    first.page.click("#evaluate")
    first.wait(f"{STATUS}.innerText.includes('0 of 20 questions')")
    with server.paused():
        open_evaluate(second, 1)
        evaluate(second, "Waiting: you are next")
        first.page.close()
        second.wait(f"{STATUS}.innerText.includes('0 of 1 question')")
    second.wait(f"{STATUS}.innerText.includes('Done')")


def test_nothing_sticks_out_and_text_can_be_read(visit):
    page = visit("?__theme=dark", viewport={"width": 390, "height": 844}, color_scheme="dark")
    open_sweep(page, 2)
    page.page.wait_for_selector("#sweep-plot svg")
    page.wait(SWEPT)
    # The random model changes its answer with every k.
    page.page.locator("#film .frame.changed").last.evaluate("frame => frame.classList.replace('changed', 'same')")
    for _ in page.widths(390, 1280):
        for theme in page.themes():
            for selector in ("#film .frame.same .answer", "#film .frame .mark", "#film .score"):
                assert page.contrast(selector) >= 4.5, (selector, theme)
    page.page.set_viewport_size({"width": 390, "height": 844})
    open_evaluate(page, 1, ks=(50,))
    evaluate(page)
    page.page.wait_for_selector("#evaluate-plot svg")
    for _ in page.widths(390, 1280):
        for theme in page.themes():
            for selector in ("#limits .legend", "#scores thead th", "#scores td", "#evaluate-status .status"):
                assert page.contrast(selector) >= 4.5, (selector, theme)
