"""Every page and state that signers meet."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page

from tests.journeys.partner import partner
from tests.journeys.post_office import BUS, HEAT
from tests.screens.camera import Camera
from tests.screens.furnishing import Town
from tests.screens.people import WORDS

#: Pages that are there for whoever opens their address.
_ADDRESSES = {
    "campaigns": "/",
    "petition": f"/c/{HEAT}",
    "letter": f"/c/{BUS}",
    "closed": "/c/open-the-library-on-sundays",
    "send-it-yourself": f"/c/{BUS}/send",
    "privacy": "/privacy",
    "accessibility": "/accessibility",
    "contact": "/contact",
    "not-found": "/c/nowhere",
}


#: What everybody meets is shown in every look; the rest by day on a phone, and by night at a desk.
_EVERYBODYS = {
    *("campaigns", "petition", "letter", "letter-filled", "check", "check-your-email", "confirm"),
    *("thank-you", "tracker-waiting", "tracker-answered", "embedded"),
}
_LOOKS_OF_THE_REST = ("phone-light", "desktop-dark")
#: Pixels, where only the top of the page is new.
_TOP = 1000


def walk(camera: Camera, town: Town) -> None:
    """A picture of each, in the order that a signer meets them."""
    for name, path in _ADDRESSES.items():
        _take(camera, name, path)
    _sign(camera)
    for name, path in town.paths.items():
        if not path.startswith(("/console", "/staff")) and not name.endswith("spanish"):
            _take(camera, name, path)
    _change(camera, town.paths["tracker-waiting"])
    _embed(camera, town)
    _walk_into_the_limits(camera)


def walk_in_spanish(camera: Camera, town: Town) -> None:
    """The three pages where most is read."""
    camera.take("letter-spanish", f"/c/{BUS}")
    _fill(camera.page, name="Nombre completo", email="Correo electrónico")
    camera.page.locator("#sign-form").evaluate("form => form.requestSubmit()")
    camera.page.locator("form.act button").first.click()
    camera.page.wait_for_url("**/check-your-email")
    camera.take("check-your-email-spanish")
    camera.take("thank-you-spanish", town.paths["thank-you-spanish"])


def _take(camera: Camera, name: str, path: str = "", **what: Any) -> None:
    if name in _EVERYBODYS or camera.look in _LOOKS_OF_THE_REST:
        camera.take(name, path, **what)


def _sign(camera: Camera) -> None:
    page = camera.go(f"/c/{BUS}")
    page.get_by_label("Full name").fill("Amara Adeyemi")
    page.get_by_label("Email", exact=True).fill("amara at example.org")
    _press_sign(page)
    page.get_by_role("alert").wait_for()
    _take(camera, "letter-error", tall=_TOP)
    _take(camera, "letter-error-form", at="#sign", tall=1600)
    page = camera.go(f"/c/{BUS}")
    _fill(page)
    _take(camera, "letter-filled", at="#the-letter")
    _press_sign(page)
    page.get_by_role("heading", name=re.compile("^Check your letter")).wait_for()
    _take(camera, "check")
    _press_sign(page)
    page.wait_for_url("**/check-your-email")
    _take(camera, "check-your-email")


def _change(camera: Camera, letter: str) -> None:
    page = camera.go(letter)
    page.get_by_role("button", name="Change my letter").click()
    _take(camera, "change")
    page.get_by_role("button", name="Look at it").click()
    page.get_by_role("heading", name="Confirm your changed letter").wait_for()
    _take(camera, "change-check")
    page.get_by_role("button", name="Keep it as it was").click()
    page.wait_for_url("**/letter/*")


def _embed(camera: Camera, town: Town) -> None:
    """On a partner's page, which lives on a site of its own."""
    with partner(town.site.url, BUS) as theirs:
        town.invite(theirs)
        camera.page.goto(theirs, wait_until="networkidle")
        camera.page.frame_locator("iframe").get_by_role("heading").first.wait_for()
        _take(camera, "embedded")


def _walk_into_the_limits(camera: Camera) -> None:
    """What a crowd behind one network meets: first a proof of work, then a wait."""
    for posts, name in ((20, "one-more-step"), (30, "too-many-tries")):
        for _ in range(posts):  # empty forms: nothing is written
            camera.page.request.post(f"{camera.url}/c/{HEAT}/sign", form={"name": ""})
        page = camera.go(f"/c/{HEAT}")
        _fill(page)
        page.locator("#own_words").fill("")
        _press_sign(page)
        page.get_by_role("alert").wait_for()
        _take(camera, name, tall=_TOP)


def _fill(page: Page, *, name: str = "Full name", email: str = "Email") -> None:
    page.get_by_label(name).fill("Amara Adeyemi")
    page.get_by_label(email, exact=True).fill("amara@example.org")
    page.locator("#city").fill("Lindenport")
    page.locator("#own_words").fill(WORDS)


def _press_sign(page: Page) -> None:
    page.get_by_role("button", name="Sign and send my letter").click()
