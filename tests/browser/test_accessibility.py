"""Nobody is shut out: axe-core's rules on every tab, and the keyboard alone."""

from pathlib import Path

import axe_playwright_python

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
# Serious and critical faults; none of Gradio's own has to be left out. In the dark nothing but the colours differs.
FAULTS = """async theme => (await axe.run(document, {
    resultTypes: ['violations'], ...(theme == 'dark' ? {runOnly: ['color-contrast', 'link-in-text-block']} : {}),
  })).violations
  .filter(fault => ['serious', 'critical'].includes(fault.impact))
  .flatMap(fault => fault.nodes.map(node => `${fault.id}: ${node.target} ${node.failureSummary}`))"""
# The element that has the focus: where, what, and whether its focus can be seen.
FOCUS = """() => {
  const e = document.activeElement, box = e.getBoundingClientRect();
  const shown = [e, e.closest('label')].some(x => x && getComputedStyle(x).outlineStyle !== 'none');
  return [e.closest('[id]:not([id=""])')?.id ?? '',
    shown && box.width > 0 && box.height > 0, e.outerHTML.slice(0, 120)];
}"""


def test_axe_finds_no_serious_fault_on_any_tab_in_any_state(page, tmp_path):
    tab, faults = page.page, {}

    def look(where):
        for theme in page.themes():
            faults[where, theme] = tab.evaluate(FAULTS, theme)

    file = tmp_path / "log.txt"
    file.write_text("The ferry leaves at nine.")
    page.shorten(3)
    tab.click("#link")
    tab.wait_for_selector("#linked svg")
    tab.get_by_text("What the model saw").click()
    page.open_tab("Sweep")
    tab.click("#sweep")
    page.wait("document.querySelectorAll('#film .score').length > 0")
    page.wait("document.querySelector('#sweep-stop').disabled")
    page.open_tab("Compare")
    page.ask()
    tab.click("#explain:enabled")
    page.wait("/times more/.test(document.querySelector('#explain-status').innerText)")
    page.upload(file)
    page.wait("/log.txt/.test(document.querySelector('#files').innerText)")
    page.wait("!document.querySelector('#upload button button')")  # Gradio's, until the box is empty again
    page.open_tab("History")
    tab.locator("#history-list label").first.click()
    tab.wait_for_selector("#history-answers .asked")
    tab.evaluate(AXE.read_text("utf-8"))
    tab.set_viewport_size({"width": 1280, "height": 720})
    page.open_tab("Compare")
    look("wide")
    tab.click("#stage")
    look("stage")
    tab.click("#stage")
    tab.set_viewport_size({"width": 390, "height": 844})
    page.unfold()
    for name in ("Compare", "Sweep", "Evaluate", "History"):
        page.open_tab(name)
        look(name)
    tab.click("#blind input")
    page.ask("When does the ferry leave?")
    tab.wait_for_selector("#reveal")
    look("blind")
    assert len(faults) == 14
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
