"""A signer's own page in a real browser: change a letter, share, send one by hand, save the receipt, be erased."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from outreach import signing
from outreach.domain.deliveries import MailClass, State
from outreach.keys import Keys
from outreach.models import Channel, Contact, Delivery, Signature
from tests import factories
from tests.browser import PHONE, Site, Visitor, shut_out

pytestmark = pytest.mark.browser


@pytest.fixture
def path(site: Site) -> str:
    """Jane has confirmed letters to an office by mail and to one by web form; the path of her page."""
    keys, now = Keys(site.settings.secret_key), datetime.now(UTC)
    with site.db.begin() as session:
        mayor = factories.target(session, name="Alex Rivera", office="Mayor of Springfield")
        council = factories.target(session, name="Kim Vale", office="President of the Council")
        campaign = factories.campaign(session, slug="shelters", targets=[mayor, council], now=now)
        campaign.self_send = campaign.edit_subject = campaign.edit_body = True
        form = session.scalars(select(Contact).where(Contact.target_id == council.id)).one()
        form.channel, form.value = Channel.WEBFORM, "https://council.example.org/contact"
    signer = signing.SignForm("Jane Doe", "jane@example.org", own_words="I wait in the rain.", show_name=True)
    with site.db.begin() as session:
        signing.sign(session, "shelters", signer, keys=keys, settings=site.settings, now=now)
        signature = session.scalars(select(Signature)).one()
        link = signing.confirm_url(site.settings, keys, signature).rpartition("/")[2]
    with site.db.begin() as session:
        return f"/letter/{signing.confirm(session, link, keys=keys, now=now).receipt_token}"


def states(site: Site) -> list[State]:
    with site.db.read() as session:
        return list(
            session.scalars(select(Delivery.state).where(Delivery.mail_class == MailClass.LETTER).order_by(Delivery.id))
        )


def change(page: Page, name: str) -> None:
    page.get_by_role("button", name="Change my letter").click()
    expect(page.get_by_text("Your letter waits for you until")).to_be_visible()
    page.get_by_label("Full name").fill(name)
    page.get_by_role("button", name="Look at it").click()


@pytest.mark.parametrize("scripts", [False, True])
def test_a_signer_changes_sends_one_by_hand_and_is_erased(site: Site, visit: Visitor, path: str, scripts: bool) -> None:
    page = visit(path, size=PHONE, scripts=scripts).page
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Doe")

    change(page, "Jane at example.org@")
    expect(page.get_by_text("A name cannot hold an address or a link.").first).to_be_visible()
    page.get_by_label("Full name").fill("Jane Q. Doe")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("article").first).to_contain_text("Jane Q. Doe")
    page.get_by_role("button", name="Confirm and send these letters instead").click()
    expect(page.get_by_role("alert")).to_contain_text("Your letter is changed.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Jane Q. Doe")

    assert page.get_by_label("Your text").input_value().endswith("Jane Q. Doe")
    page.get_by_role("button", name=re.compile("I have pasted it there")).click()
    expect(page.get_by_text("Sent by you")).to_be_visible()
    assert states(site) == [State.QUEUED, State.CANCELLED]

    with page.expect_download() as saved:
        page.get_by_role("link", name="Save a receipt as PDF").click()
    assert saved.value.path().read_bytes().startswith(b"%PDF-")

    page.get_by_role("button", name="Hide my name").click()
    expect(page.get_by_text("Is not shown")).to_be_visible()

    page.get_by_role("link", name="Erase me").click()
    page.get_by_label(re.compile("to confirm")).fill("erase")
    page.get_by_role("button", name="Erase me").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are erased")
    assert states(site) == [State.CANCELLED, State.CANCELLED]


def test_links_and_texts_are_copied_by_a_button_that_only_scripts_show(visit: Visitor, path: str) -> None:
    page = visit(path, scripts=False).page
    expect(page.get_by_role("button", name="Copy the link")).to_be_hidden()
    page = visit(path).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"/s/[a-z2-7]{10}$", copied)
    page.goto(copied)
    expect(page).to_have_url(re.compile(r"/c/shelters\?via="))


def test_nobody_is_shut_out_of_a_signers_own_pages(site: Site, visit: Visitor, path: str) -> None:
    page = visit(path).page
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert shut_out(page) == []
    for more in ("/erase", "/withdraw", "/change"):
        page.goto(site.url + path + more)
        assert shut_out(page) == [], more
    page.get_by_role("button", name="Look at it").click()
    assert shut_out(page) == [], "the look at the new letters"
    page.get_by_role("button", name="Keep it as it was").click()
    page.goto(f"{site.url}/c/shelters/send")
    page.get_by_label("Full name").fill("Jane Doe")
    page.get_by_role("button", name="Write my letter").click()
    assert shut_out(page) == [], "sending it without signing"
