"""Why this answer? What a visitor sees and chooses below the answers."""

LINE = "document.querySelector('#explain-status')"
READ = ("#bars .verdicts", ".bar span", ".bar b", ".caveat", "#ribbon legend", "#ribbon label", "#ribbon h4")


def test_bars_and_ribbon_explain_the_answers(page):
    assert page.page.is_disabled("#explain")
    page.shorten(4)
    page.ask()
    page.page.click("#explain")
    page.wait(f"{LINE}.innerText.includes('times more')")
    assert page.page.locator("#bars .bars > li").count() == 3
    assert page.page.locator("#bars .bar").count() == 9
    assert all(" nats" in text for text in page.page.locator("#bars .bar b").all_inner_texts())
    shown = page.page.locator("#ribbon .panel:visible")
    assert shown.locator("h4").all_inner_texts() == ["With k = 50", "Without virtual tokens", "Without passages"]
    assert shown.locator("li.p4, li.p3, li.p2, li.p1, li.p0").count() == 12
    page.page.focus("#ribbon input:checked")
    page.page.keyboard.press("ArrowLeft")  # another answer
    assert page.page.is_checked("#side1")
    assert shown.count() == 1
    for theme in ("light", "dark"):
        page.page.evaluate(f"document.body.classList.toggle('dark', {str(theme == 'dark').lower()})")
        for _ in page.widths(390, 1280):
            for selector in (*READ, *(f"#ribbon .p{shade} {part}" for shade in range(5) for part in ("span", "small"))):
                if page.page.locator(selector).count():
                    assert page.contrast(selector) >= 4.5, (theme, selector)
    page.page.click("#compare")
    page.wait("!document.querySelector('.bars')")
    page.wait_idle()
