"""Another script, the other direction, and leaving at once, in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from outreach import campaign_settings, rehearsal
from outreach.keys import Keys
from tests import pseudo
from tests.browser import Site, Visitor, shut_out, sideways

pytestmark = pytest.mark.browser

NARROW = {"width": 320, "height": 640}
BUS = "keep-the-night-bus-running"


@pytest.fixture(autouse=True)
def campaigns(site: Site) -> None:
    with site.db.begin() as session:
        keys = Keys(site.settings.secret_key)
        rehearsal.open_campaigns(session, site.settings, keys, now=datetime.now(UTC))


def test_from_right_to_left_nothing_leaves_a_narrow_screen(site: Site, visit: Visitor, tmp_path: Path) -> None:
    (tmp_path / "locale").mkdir()
    with pseudo.spoken(tmp_path / "locale") as code:
        site.server.stop()
        site.server.start()
        page = visit(f"/c/{BUS}?lang={code}", size=NARROW).page
        assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
        for path in ("/", f"/c/{BUS}", f"/c/{BUS}/check-your-email", "/nowhere"):
            page.goto(site.url + path)
            assert sideways(page) == 0, path
        page.goto(f"{site.url}/c/{BUS}")
        assert page.locator("h1").evaluate("e => getComputedStyle(e).direction") == "ltr"  # its words are English
        assert shut_out(page) == []


def test_a_reader_takes_spanish_and_signs_in_it(site: Site, visit: Visitor) -> None:
    page = visit(f"/c/{BUS}", size=NARROW).page
    page.get_by_role("link", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Que el autobús nocturno siga circulando")
    page.get_by_label("Correo electrónico", exact=True).fill("nadie")
    page.get_by_role("button", name="Firmar y enviar mi carta").click()
    expect(page.get_by_role("alert")).to_contain_text("Hay un problema")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    assert shut_out(page) == []


def test_a_page_of_high_risk_is_left_at_once_by_its_button_or_by_the_escape_key(site: Site, visit: Visitor) -> None:
    with site.db.begin() as session:
        campaign_settings.change(session, BUS, {"high_risk": True}, now=datetime.now(UTC), actor="test")
    made = visit("/", size=NARROW)
    page = made.page
    # The test stays on this machine: the harmless page is made up.
    page.route(re.compile(re.escape(site.settings.exit_url)), lambda route: route.fulfill(body="weather"))
    for leave in (
        lambda: page.get_by_role("link", name="Leave this page quickly").click(),
        lambda: [page.keyboard.press("Escape") for _ in range(3)],
    ):
        page.goto(f"{site.url}/c/{BUS}")
        leave()
        page.wait_for_url(re.compile(re.escape(site.settings.exit_url)))
        page.go_back()
        expect(page).not_to_have_url(re.compile(BUS))  # the harmless page took its place in the history
    assert {url for url in made.foreign if not url.startswith(site.settings.exit_url)} == set()
    made.foreign.clear()
