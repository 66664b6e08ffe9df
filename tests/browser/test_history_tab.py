"""What a visitor does with the comparisons of this visit."""

import csv
import json

ENTRIES = "document.querySelectorAll('#history-list label').length"
COPIED = "document.querySelector('#history-status').innerText.includes('Copied as Markdown')"


def downloaded(page, ending):
    with page.page.expect_download() as download:
        page.page.click(f"#export-{ending}")
    assert download.value.suggested_filename == f"spring-history.{ending}"
    return download.value.path()


def test_comparisons_are_shown_again_copied_and_exported(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.shorten(3)
    page.ask("Who built the Mess Hall?")
    first = page.text("#answers")
    page.ask("What does the =bell shrew* do?")
    page.open_tab("History")
    page.wait(f"{ENTRIES} == 2")
    page.page.locator("#history-list label").nth(1).click()  # the newest is first
    page.page.wait_for_selector("#history-answers .asked")
    assert page.text("#history-answers") == first
    assert page.page.locator("#history-passages :is(input, button):visible").count() == 0  # nothing to change there
    assert "history-of-orlo-station" in page.text("#history-passages")
    page.page.click("#copy-markdown")
    page.wait(COPIED)
    assert page.page.evaluate("navigator.clipboard.readText()").startswith("## Who built the Mess Hall?")
    assert "## What does the =bell shrew\\* do?" in downloaded(page, "md").read_text(encoding="utf-8")
    with open(downloaded(page, "csv"), encoding="utf-8-sig", newline="") as file:
        assert [row["virtual_tokens"] for row in csv.DictReader(file)] == ["0", "50", "0"] * 2
    assert len(json.loads(downloaded(page, "json").read_text(encoding="utf-8"))) == 2
    for theme in ("light", "dark"):
        page.page.evaluate(f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})")
        for _ in page.widths(390, 1280):
            page.wait("!document.getAnimations().some(animation => animation instanceof CSSTransition)")
            for selector in ("#history-list label span", "#history-answers .answer"):
                assert page.contrast(selector) >= 4.5, (theme, selector)
    page.page.click("#history-clear")
    page.wait(f"{ENTRIES} == 0")
    assert page.page.locator("#history-answers .asked").count() == 0
