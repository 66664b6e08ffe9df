"""Make README's picture and recording of the page: `python -m tools.pictures [--url ADDRESS]`.

    docs/page.png         three answers about a sample, and why the model gave them
    docs/recording.gif    a PDF is uploaded, a question asked, the answers stream, and are explained

The page is app.py with its default model, in a process of its own, or the one at `--url`. It needs Debian's chromium.
The recording is made of screenshots: time in which nothing changes is cut to `LONGEST_STILL`, so that it shows what
happens and not how fast this machine is; frames of what changes are taken every `INTERVAL` or slower, and shown for
`SHOWN`. The figures for speed in both are of the machine at that time.
"""

import argparse
import os
import shutil
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Locator, Page, sync_playwright

from tools.trial import served

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "corpora" / "orlo-station" / "documents" / "handbook-of-station-machines.pdf"
QUESTION = "What is the snow tractor called?"
EXPLAINED = (
    "!document.querySelector('#explain').disabled"
    " && document.querySelector('#explain-status').innerText.includes('times more')"
)
WIDTH, HEIGHT, PICTURE_HEIGHT = 1280, 900, 2000  # CSS pixels
RECORDED_WIDTH = 900  # pixels
INTERVAL, SHOWN, LONGEST_STILL, PAUSE, END = 0.25, 0.12, 0.5, 1.2, 3.0  # seconds
LARGEST = 2 * 10**6  # bytes
TIMEOUT = 300  # seconds


class Recording:
    """Frames of a page, each with how long it is shown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.durations: list[float] = []

    def take(self, shown: float) -> None:
        """Add what the page shows now, for `shown` seconds; a frame like the last one is not added again."""
        whole = Image.open(BytesIO(self.page.screenshot())).convert("RGB")
        height = whole.height * RECORDED_WIDTH // whole.width
        frame = whole.resize((RECORDED_WIDTH, height), Image.Resampling.LANCZOS)
        if self.frames and not ImageChops.difference(frame, self.frames[-1]).getbbox():
            self.durations[-1] = max(self.durations[-1], min(self.durations[-1] + shown, LONGEST_STILL), shown)
        else:
            self.frames.append(frame)
            self.durations.append(shown)

    def until(self, condition: str) -> None:
        """Take frames until the JavaScript expression holds, then rest on the last one."""
        deadline = time.monotonic() + TIMEOUT
        while not self.page.evaluate(f"Boolean({condition})"):
            if time.monotonic() > deadline:
                raise SystemExit(f"The page does not come to: {condition}")
            started = time.monotonic()
            self.take(SHOWN)
            self.page.wait_for_timeout(max(0, INTERVAL - (time.monotonic() - started)) * 1000)
        self.take(PAUSE)

    def click(self, target: Locator) -> None:
        """Click, after showing where: screenshots have no pointer."""
        target.scroll_into_view_if_needed()
        target.evaluate("element => { element.style.outline = '3px solid #d9480f' }")
        self.take(PAUSE)
        target.evaluate("element => { element.style.outline = '' }")
        target.click()

    def save(self, file: Path) -> None:
        """Write an animated GIF whose frames have one palette, so that what stays the same is stored once."""
        last = self.frames[-1]
        sample = Image.new("RGB", (last.width, last.height * 3))
        for row, frame in enumerate((self.frames[0], self.frames[len(self.frames) // 2], last)):
            sample.paste(frame, (0, row * last.height))
        palette = sample.quantize(192, Image.Quantize.MAXCOVERAGE)  # keeps the few orange points
        first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        milliseconds = [round(shown * 1000) for shown in self.durations]
        first.save(file, save_all=True, append_images=others, duration=milliseconds, loop=0, optimize=False)


def picture(page: Page, file: Path) -> None:
    """Ask the sample's first question, explain the answers, and photograph the page."""
    page.set_viewport_size({"width": WIDTH, "height": PICTURE_HEIGHT})
    page.click("#compare")
    page.wait_for_function("!document.querySelector('#explain').disabled")
    page.click("#explain")
    page.wait_for_function(EXPLAINED)
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)  # the buttons fade back
    Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(256).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size:,} bytes", flush=True)


def recording(page: Page, file: Path) -> None:
    """Upload, ask, wait for the answers, and have them explained."""
    film = Recording(page)
    film.take(PAUSE)
    film.click(page.get_by_text("Upload your own documents"))
    page.locator("#upload").scroll_into_view_if_needed()
    film.take(PAUSE)
    page.locator("#upload input[type=file]").first.set_input_files(DOCUMENT)
    film.until(f"document.querySelector('#files').innerText.includes('{DOCUMENT.name}')")
    page.locator("#files").scroll_into_view_if_needed()
    film.take(PAUSE)
    box = page.locator("#question textarea")
    box.scroll_into_view_if_needed()
    for end in range(0, len(QUESTION) + 3, 3):
        box.fill(QUESTION[:end])
        film.take(SHOWN)
    film.click(page.locator("#compare"))
    film.until("!document.querySelector('#explain').disabled")
    film.click(page.locator("#explain"))
    page.locator("#bars").scroll_into_view_if_needed()
    film.until(EXPLAINED)
    page.locator("#bars").evaluate("bars => bars.scrollIntoView()")
    film.take(END)
    page.locator("#ribbon").scroll_into_view_if_needed()
    film.take(END)
    film.save(file)
    print(f"{file}: {len(film.frames)} frames, {sum(film.durations):.0f} s, {file.stat().st_size:,} bytes")
    if file.stat().st_size > LARGEST:
        raise SystemExit(f"{file} is larger than {LARGEST:,} bytes.")


def make(address: str, folder: Path) -> None:
    """Make both, each as a new visitor."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("The pictures need chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        for do, name in ((picture, "page.png"), (recording, "recording.gif")):
            page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light").new_page()
            page.set_default_timeout(TIMEOUT * 1000)
            page.goto(address, wait_until="commit")
            page.wait_for_selector("#facts b", state="attached")  # the model is loaded
            do(page, folder / name)
        browser.close()


def main() -> None:
    """Make the pictures of the page at an address, or of one started here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", metavar="ADDRESS", help="a running page; else app.py is started")
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=ROOT / "docs", help="default: docs")
    options = parser.parse_args()
    if options.url:
        make(options.url, options.output)
    else:
        with tempfile.TemporaryDirectory() as logs, served(ROOT, Path(logs) / "log", os.environ, wait=TIMEOUT) as page:
            make(page, options.output)


if __name__ == "__main__":
    main()
