"""A real Chromium on the real application: fixtures, and what every page is held to.

The browser is the machine's own (`CHROMIUM` or /usr/bin/chromium). Scripts are run by `page.evaluate`, which the
pages' strict policy does not bind; nothing here loosens that policy.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from outreach.models import Database
from outreach.settings import Settings
from outreach.web.app import SERVER, create_app
from tests.conftest import make_settings
from tests.fakes.inbound import SECRET
from tests.servers import free_port

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
_FLAGS = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


class Server:
    """The application, served on loopback by a thread; it may be stopped and started again at the same address."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._settings, self._db = settings, db
        self.start()

    def start(self) -> None:
        """A new application, as a new process would make it. Returns once it listens."""
        port = urlsplit(self._settings.base_url).port or 80
        app = create_app(self._settings, self._db)
        self._server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", **SERVER))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended before it listened"
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass(frozen=True)
class Site:
    """The application, served on loopback."""

    url: str
    settings: Settings
    db: Database
    server: Server


@contextmanager
def serving(folder: Path, **more: str) -> Iterator[Site]:
    """The site on `folder`/site.db, a migrated database; mail would go to a mailbox folder. `more` are settings."""
    url = f"http://127.0.0.1:{free_port()}"
    settings = make_settings(folder, f"sqlite:///{folder / 'site.db'}", base_url=url, inbound_secret=SECRET, **more)
    db = Database(settings.database)
    server = Server(settings, db)
    yield Site(url, settings, db, server)
    server.stop()
    db.close()


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """The site on an empty database of its own."""
    shutil.copy(sqlite_template, tmp_path / "site.db")
    with serving(tmp_path) as made:
        yield made


@contextmanager
def launched() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    if not Path(path).exists():
        pytest.fail(f"There is no Chromium at {path}. Install Debian's: apt-get install chromium libatomic1")
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


# Not for the whole session: while Playwright runs, its event loop counts as running in this thread, and no test that
# comes after could start one of its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@dataclass
class Visit:
    """One page in a browser of its own, and what went wrong behind its back."""

    page: Page
    foreign: list[str] = field(default_factory=list)  #: requests to anybody but us
    complaints: list[str] = field(default_factory=list)  #: the console's errors, refused pages aside


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(chromium: Browser, site: Site) -> Iterator[Visitor]:
    """`visit("/c/…", theme="dark", size=PHONE, scripts=False).page`. In the end no page may have complained."""
    visits: list[Visit] = []
    contexts = []

    def open_(
        path: str = "/", *, theme: str = "light", size: dict[str, int] | None = None, scripts: bool = True
    ) -> Visit:
        context = chromium.new_context(
            viewport=size or DESK,  # type: ignore[arg-type]
            color_scheme=theme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        made = Visit(context.new_page())
        visits.append(made)

        def console(message: ConsoleMessage) -> None:
            # Chromium calls every 4xx an error; the pages that answer 4xx on purpose are what some tests are about.
            if message.type == "error" and "Failed to load resource" not in message.text:
                made.complaints.append(message.text)

        def request(sent: Request) -> None:
            was_refused = "csp" in (sent.failure or "")  # by our own policy, before it left the browser
            if not was_refused and not sent.url.startswith((site.url, "data:", "about:")):
                made.foreign.append(sent.url)

        made.page.on("console", console)
        made.page.on("requestfinished", request)
        made.page.on("requestfailed", request)
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        made.page.goto(site.url + path)
        return made

    yield open_
    for context in contexts:
        context.close()
    assert [visit.foreign for visit in visits if visit.foreign] == []
    assert [visit.complaints for visit in visits if visit.complaints] == []


def shut_out(page: Page) -> list[str]:
    """What would keep somebody out of the page as it stands: on a phone by day, at a desk by night, and at 320 pixels
    (WCAG 1.4.10: there nothing has to be scrolled sideways). One line each.
    """
    found: list[str] = []
    for size, theme in ((PHONE, "light"), (DESK, "dark")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        found += [f"{theme}: {barrier}" for barrier in barriers(page)]
    for width in (320, PHONE["width"], DESK["width"]):
        page.set_viewport_size({"width": width, "height": 800})
        if over := sideways(page):
            found.append(f"{over} pixels wider than {width}")
    return found


def barriers(page: Page) -> list[str]:
    """What axe-core finds that would keep somebody out, one line per rule: WCAG 2.2 A and AA, and good practice."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{rule['id']}: {rule['help']} ({'; '.join(node['html'][:120] for node in rule['nodes'][:3])})"
        for rule in found["violations"]
    ]


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways; 0 is right."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def tab_to(page: Page, words: str) -> None:
    """Press Tab until what is named by these words, in its label or by itself, has the focus; it must be seen to."""
    for _ in range(80):
        page.keyboard.press("Tab")
        said, outline = page.evaluate(_FOCUSED)
        assert not said or outline != "none", f"{said!r} has the focus and does not show it"
        if words in said:
            return
    raise AssertionError(f"{words!r} is not reached by the tab key")


_FOCUSED = """() => {
    const at = document.activeElement;
    if (at === document.body) return ["", "none"];  // between the page's end and its beginning
    const shown = at.matches("a.cover") ? at.closest(".campaign") : at;
    return [at.labels?.[0]?.textContent ?? at.textContent, getComputedStyle(shown).outlineStyle];
}"""


def press(page: Page, words: str, key: str) -> None:
    """Go to what is named so by the tab key, and press `key` there."""
    tab_to(page, words)
    page.keyboard.press(key)
