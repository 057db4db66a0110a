"""One page of the real browser, and a picture of what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import DESK, PHONE

#: What a picture is taken as: its name's ending; the browser's window, its theme, and pixels of the picture for one.
LOOKS = {
    "phone-light": (PHONE, "light", 1.0),
    "phone-dark": (PHONE, "dark", 1.0),
    "desktop-light": (DESK, "light", 0.75),
    "desktop-dark": (DESK, "dark", 0.75),
}
_TALLEST = 3000
_QUALITY = 38
_TOP = "element => element.getBoundingClientRect().top + window.scrollY"


@dataclass(frozen=True)
class Camera:
    """Takes pictures of `page` as one look, into `folder`."""

    page: Page
    url: str
    folder: Path
    look: str

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path, wait_until="networkidle")
        return self.page

    def take(self, name: str, path: str = "", *, at: str = "", tall: int = _TALLEST) -> None:
        """What stands there, or at `path`: from `at` (a selector) or the top down, at most so `tall`."""
        if path:
            self.go(path)
        self.page.evaluate("document.fonts.ready")
        top = max(0, int(self.page.locator(at).evaluate(_TOP)) - 40) if at else 0
        rest = self.page.evaluate("document.documentElement.scrollHeight") - top
        size = self.page.viewport_size or DESK
        self.page.screenshot(
            path=self.folder / f"{name}-{self.look}.jpg",
            type="jpeg",
            quality=_QUALITY,
            full_page=True,
            clip={"x": 0, "y": top, "width": size["width"], "height": min(rest, tall)},
        )


@contextmanager
def camera(browser: Browser, url: str, folder: Path, look: str, *, locale: str = "en-GB") -> Iterator[Camera]:
    """A camera with a browser of its own: no cookies, and a reader who speaks `locale`."""
    size, theme, scale = LOOKS[look]
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        device_scale_factor=scale,
        reduced_motion="reduce",
        locale=locale,
    )
    context.set_default_timeout(10_000)
    yield Camera(context.new_page(), url, folder, look)
    context.close()
