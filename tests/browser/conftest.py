"""The real page in a real browser: app.py in a process of its own, Debian's chromium driven by playwright."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, TimeoutError, sync_playwright

from spring.web.tabs.browser_storage import FORM
from tests.support.servers import HANG, Server, start, stop

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# WCAG contrast of an element's text, or border, with the first opaque background behind it.
CONTRAST = """(element, property) => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const text = luminance(parse(getComputedStyle(element)[property]));
  let behind = element;
  const alpha = e => parse(getComputedStyle(e).backgroundColor)[3] ?? 1;
  const opaque = e => alpha(e) > 0.9;
  while (behind.parentElement && !opaque(behind)) behind = behind.parentElement;
  const back = luminance(parse(getComputedStyle(behind).backgroundColor));
  return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
}"""
NOTE_START = """() => {
  const stop = document.querySelector('#stop');
  window.isStarted = false;
  new MutationObserver(() => { window.isStarted ||= !stop.disabled }).observe(stop, {attributes: true});
}"""
STILL = "!document.getAnimations().some(animation => animation instanceof CSSTransition)"
THEMES = ("dark", "light")
TRIES = 20
WIDE = {"width": 1280, "height": 900}
IDLE = "document.querySelector('#stop').disabled && !document.querySelector('#compare').disabled"


@pytest.fixture(scope="session")
def server(endless_model, tmp_path_factory) -> Iterator[Server]:
    """A random model that never ends an answer by itself: the default one needs ten times the processor's time."""
    folder = tmp_path_factory.mktemp("server")
    running = start(*endless_model, folder / "uploads", folder / "log")
    yield running
    alive = running.process.poll() is None
    stop(running)
    log = running.log.read_text()
    assert alive, log
    assert "Traceback" not in log


@pytest.fixture(scope="session")
def address(server: Server) -> str:
    return server.url


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium here; `make test` installs it where it may")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


class Visitor:
    """One browser session on the page, and what a person does there."""

    def __init__(self, page: Page, address: str):
        self.page, self.context = page, page.context
        self.page.set_default_timeout(HANG * 1000)
        self.requested: list[str] = []
        self.errors: list[str] = []
        self._listeners: dict[Any, Callable[..., None]] = {
            "request": lambda request: self.requested.append(request.url),
            "console": self._listen,
            "pageerror": lambda error: self.errors.append(str(error)),
        }
        for event, listener in self._listeners.items():
            self.page.on(event, listener)
        self.page.goto(address)
        self.page.wait_for_selector("#facts b", state="attached")  # the model is loaded; the stage hides it

    def leave(self) -> Page:
        """The page as a new one: no cookies, storage and permissions, no other tab, nobody who listens."""
        for other in self.context.pages:
            if other is not self.page:
                other.close()
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self.page.goto("about:blank")
        self.page.set_viewport_size(WIDE)
        self.context.clear_cookies()
        self.context.clear_permissions()
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        return self.page

    def _listen(self, message: ConsoleMessage) -> None:
        """What the browser complains of: something blocked by the Content-Security-Policy, or not found."""
        if message.type == "error":
            self.errors.append(message.text)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def type(self, question: str) -> None:
        self.page.fill("#question textarea", question)

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    def wait_idle(self) -> None:
        self.wait(IDLE)

    def wait_writing(self) -> None:
        """Wait for the first words of the first answer."""
        self.wait("/first token/.test(document.querySelector('#answers .meter')?.innerText)")
        self.wait("document.querySelector('#answers .answer').innerText.length > 3")

    def ask(self, question: str | None = None) -> None:
        if question is not None:
            self.type(question)
        self.start()
        self.wait_idle()

    def start(self) -> None:
        self.page.evaluate(NOTE_START)  # a short answer may be over before anybody looks
        self.page.click("#compare")
        self.wait("window.isStarted")

    def widths(self, *widths: int) -> Iterator[int]:
        """Give the window each of these widths, at which nothing may stick out."""
        for width in widths:
            self.page.set_viewport_size({"width": width, "height": 844})
            self.wait(f"document.documentElement.scrollWidth <= {width}")
            yield width

    def themes(self) -> Iterator[str]:
        """Show the page, opened in dark or light, in both; everything else stays as it is."""
        for theme in THEMES:
            self.page.evaluate("theme => document.body.classList.toggle('dark', theme == 'dark')", theme)
            self.wait(STILL)  # colours change slowly
            yield theme

    def contrast(self, selector: str, part: str = "color") -> float:
        return self.page.eval_on_selector(selector, CONTRAST, part)

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def answer(self, number: int) -> str:
        return self.page.locator("#answers .answer").nth(number).inner_text()

    def unfold(self) -> None:
        """Show the settings, which a phone and the stage fold."""
        fold = self.page.locator("#fold")
        if fold.is_visible() and fold.get_attribute("aria-expanded") == "false":
            fold.click()

    def shorten(self, tokens: int) -> None:
        """Ask for short answers, as the tests wait for all of them."""
        self.unfold()
        if not self.page.locator("#max_new_tokens").is_visible():
            self.page.get_by_text("Advanced settings").click()
        # The slider may show what Gradio has not taken, as the page is still being drawn or filled in: that is lost.
        self.wait("window.springRestored")
        taken = f"JSON.parse(sessionStorage.getItem('{FORM}'))?.max_new_tokens === {tokens}"
        for _ in range(TRIES):
            self.page.fill("#max_new_tokens input[type=number]", str(tokens))
            self.page.press("#max_new_tokens input[type=number]", "Tab")
            with suppress(TimeoutError):
                self.page.wait_for_function(taken, timeout=3000)
                return
        raise AssertionError("The longest answer cannot be set.")

    def upload(self, *paths: Path) -> None:
        self.unfold()
        if not self.page.locator("#upload").is_visible():
            self.page.get_by_text("Upload your own documents").click()
        self.page.locator("#upload input[type=file]").first.set_input_files([str(path) for path in paths])


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    """Pages that visitors have left: a browser does not compile again what such a page has loaded."""
    return []


@pytest.fixture
def visit(browser: Browser, address: str, pages: list[Page]) -> Iterator[Callable[..., Visitor]]:
    """Open the page as a new visitor, as often as wanted."""
    usual: list[Visitor] = []
    special: list[Visitor] = []

    def open_page(query: str = "", **options) -> Visitor:
        """options: of the browser's context."""
        fresh = bool(options) or not pages
        page = browser.new_context(**({"viewport": WIDE} | options)).new_page() if fresh else pages.pop()
        visitor = Visitor(page, address + query)
        (special if options else usual).append(visitor)
        return visitor

    yield open_page
    assert [visitor.errors for visitor in [*usual, *special] if visitor.errors] == []
    for visitor in special:
        visitor.context.close()
    pages.extend(visitor.leave() for visitor in usual if not visitor.page.is_closed())


@pytest.fixture
def page(visit):
    return visit()
