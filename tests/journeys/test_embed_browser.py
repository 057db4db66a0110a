"""The script tag on a partner's page, in a real browser and from another origin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import select

from outreach.models import Signature
from tests import factories
from tests.browser import PHONE, Site
from tests.journeys.partner import partner

pytestmark = pytest.mark.browser


def test_a_listed_site_shows_the_form_and_its_signers_are_credited_to_it(site: Site, chromium: Browser) -> None:
    with partner(site.url, "rents") as theirs:
        with site.db.begin() as session:
            campaign = factories.campaign(
                session, slug="rents", title="Cap the rents", targets=1, now=datetime.now(UTC)
            )
            campaign.embed_origins = [theirs]
        context = chromium.new_context(viewport=PHONE)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(theirs)
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Cap the rents")).to_be_visible()
        inside = frame.locator("html").evaluate("e => e.scrollHeight")
        expect(page.locator("iframe")).to_have_css("height", f"{inside}px")
        assert context.cookies() == []
        frame.get_by_label("Full name").fill("Jane Doe")
        frame.get_by_role("textbox", name="Email").fill("jane@example.org")
        frame.get_by_role("button", name="Sign and send my letter").click()
        page.wait_for_url(f"{site.url}/**")  # the whole window, not the frame
        if page.get_by_role("heading", name="Check your email").count() == 0:
            page.get_by_role("button", name="Sign and send my letter").click()
        expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
        with site.db.read() as session:
            assert session.scalars(select(Signature.source)).all() == ["partner:tenants"]
        context.close()


def test_a_site_that_is_not_listed_shows_nothing_of_ours(site: Site, chromium: Browser) -> None:
    """Clickjacking: the browser refuses to put the form where it was not invited."""
    with partner(site.url, "rents") as theirs:
        with site.db.begin() as session:
            campaign = factories.campaign(
                session, slug="rents", title="Cap the rents", targets=1, now=datetime.now(UTC)
            )
            campaign.embed_origins = ["https://somebody-else.example.org"]
        context = chromium.new_context()
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(theirs)
        page.locator("iframe").wait_for()
        page.wait_for_load_state("networkidle")
        expect(page.frame_locator("iframe").get_by_role("heading", name="Cap the rents")).to_have_count(0)
        assert any("frame-ancestors" in text for text in refused)
        context.close()
