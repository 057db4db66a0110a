"""The proof of work of a sign form in a real browser: done by itself, by our own files only, and in nobody's way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from outreach.models import Signature
from tests import factories
from tests.browser import PHONE, Site, Visitor, press, serving, shut_out, tab_to

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """A site that asks every form for its proof."""
    shutil.copy(sqlite_template, tmp_path / "site.db")
    with serving(tmp_path, proof_of_work="on", signs_per_minute="6") as made:
        with made.db.begin() as session:
            factories.campaign(session, slug="shelters", title="A bus shelter for every stop")
        yield made


def fill_in(page: Page, email: str) -> None:
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_label("Email", exact=True).fill(email)


def sign(page: Page) -> None:
    """Press the button of this page and of the one that shows the letter once more."""
    for _ in range(2):
        if page.get_by_role("heading", level=1).text_content() != "Check your email":
            with page.expect_navigation():
                page.get_by_role("button", name="Sign and send my letter").click()


def suspects(site: Site) -> list[str]:
    with site.db.read() as session:
        return list(session.scalars(select(Signature.suspect).order_by(Signature.id)))


def test_a_browser_proves_itself_and_its_signer_only_presses_the_button(site: Site, visit: Visitor) -> None:
    page = visit("/c/shelters", size=PHONE).page
    fill_in(page, "jane@example.org")
    expect(page.locator("altcha-widget")).to_contain_text("Verified", timeout=30_000)
    assert shut_out(page) == []
    tab_to(page, "Email")
    with page.expect_navigation():
        press(page, "Sign and send my letter", "Enter")
    sign(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
    assert suspects(site) == [""]


def test_without_scripts_one_goes_by_the_mail_alone_within_the_stricter_limit(site: Site, visit: Visitor) -> None:
    for n, kept in enumerate(["", "", "network"]):
        page = visit("/c/shelters", scripts=False).page
        fill_in(page, f"jane{n}@example.org")
        sign(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("Check your email")
        assert suspects(site)[-1] == kept
