"""From the click on Compare to the first word of an answer, in a browser, against another checkout.

`python -m benchmarks.first_word --old CHECKOUT`, such as `git worktree add /tmp/old 0315bc0`, whose libraries must be
here too. Both pages are served at once with the default model and clicked in turns, each time by a new visitor with
another question, of whose passages nothing is cached. Printed are the median seconds of both and their ratio: until the
page says that the click was noticed, and until the first word stands there. Needs chromium.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tools.trial import served

ROOT = Path(__file__).parent.parent
QUESTIONS = ROOT / "corpora" / "orlo-station" / "questions.jsonl"
TIMEOUT = 300  # seconds
# Both times in seconds, taken in the page: the first change of the status line, and the first word of any answer.
CLICK = """() => new Promise(done => {
  const status = document.querySelector('#status').innerText, begun = performance.now();
  let noticed = 0;
  const look = () => {
    const now = (performance.now() - begun) / 1000;
    noticed ||= document.querySelector('#status').innerText === status ? 0 : now;
    const texts = [...document.querySelectorAll('#answers .answer')];
    if (noticed && texts.some(text => !text.querySelector('.empty') && text.innerText.trim())) done([noticed, now]);
    else setTimeout(look, 4);
  };
  document.querySelector('#compare').click();
  look();
})"""


def click(browser: Browser, address: str, question: str) -> tuple[float, float]:
    """Ask as a new visitor; seconds until the click is noticed, and until the first word."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT * 1000)
    page.goto(address)
    page.wait_for_selector("#facts b")  # the model is loaded
    page.fill("#question textarea", question)
    page.wait_for_timeout(500)  # the page has settled
    noticed, word = page.evaluate(CLICK)
    page.wait_for_function("document.querySelector('#stop').disabled")  # the model is free again
    context.close()
    return float(noticed), float(word)


def main() -> None:
    """Click on both pages in turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--old", metavar="CHECKOUT", type=Path, required=True, help="to compare with")
    parser.add_argument("--clicks", type=int, default=11, help="on each page; the first is not counted (default: 11)")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("This needs chromium: apt-get install chromium")
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text("utf-8").splitlines()]
    with (
        tempfile.TemporaryDirectory() as logs,
        served(options.old, Path(logs) / "old", os.environ, wait=TIMEOUT) as old,
        served(ROOT, Path(logs) / "new", os.environ, wait=TIMEOUT) as new,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        seconds: dict[str, list[tuple[float, float]]] = {old: [], new: []}
        for question in questions[: options.clicks]:
            for address, times in seconds.items():
                times.append(click(browser, address, question))
        browser.close()
    for place, name in enumerate(("click noticed", "first word")):
        before, after = (statistics.median(times[place] for times in seconds[at][1:]) for at in (old, new))
        print(f"{name}: {after:.3f} s here, {before:.3f} s there, {after / before:.2f} times as long")


if __name__ == "__main__":
    main()
