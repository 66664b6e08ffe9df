"""Nobody is shut out: axe-core's rules on every tab, and the keyboard alone."""

from pathlib import Path

import axe_playwright_python

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
# Serious and critical faults; none of Gradio's own has to be left out.
FAULTS = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(fault => ['serious', 'critical'].includes(fault.impact))
  .flatMap(fault => fault.nodes.map(node => `${fault.id}: ${node.target} ${node.failureSummary}`))"""
# The element that has the focus: where, what, and whether its focus can be seen.
FOCUS = """() => {
  const e = document.activeElement, box = e.getBoundingClientRect();
  const shown = [e, e.closest('label')].some(x => x && getComputedStyle(x).outlineStyle !== 'none');
  return [e.closest('[id]:not([id=""])')?.id ?? '',
    shown && box.width > 0 && box.height > 0, e.outerHTML.slice(0, 120)];
}"""


def test_axe_finds_no_serious_fault_on_any_tab(page):
    page.shorten(3)
    page.page.get_by_text("Upload your own documents").click()
    page.page.get_by_text("What the model saw").click()
    page.page.click("#link")
    page.page.wait_for_selector("#linked svg")
    page.ask()
    page.open_tab("Sweep")
    page.page.click("#sweep")
    page.wait("document.querySelectorAll('#film .score').length > 0")
    page.page.evaluate(AXE.read_text("utf-8"))
    faults = {}
    for theme in ("light", "dark"):
        page.page.evaluate("theme => document.body.classList.toggle('dark', theme == 'dark')", theme)
        for width in (1280, 390):
            page.page.set_viewport_size({"width": width, "height": 844})
            page.unfold()
            for tab in page.page.get_by_role("tab").all():
                tab.click()
                page.page.wait_for_timeout(200)  # colours change slowly
                faults[theme, width, tab.inner_text()] = page.page.evaluate(FAULTS)
        page.page.set_viewport_size({"width": 1280, "height": 720})
        page.page.click("#stage")
        faults[theme, "stage"] = page.page.evaluate(FAULTS)
        page.page.click("#stage")
    assert len(faults) >= 14
    assert {where: found for where, found in faults.items() if found} == {}


def test_the_keyboard_reaches_everything_in_a_sensible_order_and_its_place_is_seen(page):
    page.page.focus("#question textarea")
    seen = []
    for _ in range(40):
        page.page.keyboard.press("Tab")
        name, is_visible, html = page.page.evaluate(FOCUS)
        if not name or name == "question":  # the end, and the beginning again
            break
        assert is_visible, html
        seen.append(name)
    wanted = ["compare", "link", "stage", "tabs", "k", "example_0", "collection", "passage_count"]
    places = [next(i for i, name in enumerate(seen) if name == wish) for wish in wanted if wish in seen]
    assert set(wanted) - {"tabs"} <= set(seen), seen
    assert places == sorted(places), seen


def test_who_wants_no_motion_gets_none(visit):
    page = visit(reduced_motion="reduce")
    page.shorten(3)
    page.ask()
    moving = """[...document.querySelectorAll('#page, #page *')].filter(e => {
      const style = getComputedStyle(e), longest = text => Math.max(...text.split(',').map(parseFloat));
      return longest(style.animationDuration) > .01 || longest(style.transitionDuration) > .01;
    }).map(e => e.outerHTML.slice(0, 100))"""
    assert page.page.evaluate(moving) == []
    assert page.page.evaluate("spring.motion().behavior") == "auto"
