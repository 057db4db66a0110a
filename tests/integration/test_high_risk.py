"""Signers whom it may harm to be named: what is not taken, not shown, not said before a mail is opened, not kept."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from outreach import campaign_settings, people
from outreach.audit import audit
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import EventState, State
from outreach.models import Base, Campaign, Consent, Delivery, Reply, Signature, SignatureState
from outreach.signing import SignForm
from outreach.signing.forms import check
from outreach.signing.risk import careful
from tests import factories
from tests.sites import Site, bare

IP = "203.0.113.77"
TICKED = {"updates": "yes", "show_name": "yes", "share_address": "yes", "postal_code": "62701"}


@pytest.fixture
def careful_site(site: Site) -> Site:
    with site.db.begin() as session:
        campaign_settings.change(session, "shelters", {"high_risk": True}, now=site.now, actor="test")
    return site


def everything_stored(site: Site) -> str:
    """Every value of every table, as text."""
    with site.db.read() as session:
        return "\n".join(
            str(tuple(row)) for table in Base.metadata.sorted_tables for row in session.execute(table.select())
        )


def test_of_a_signer_at_risk_nothing_is_taken_that_the_letter_does_not_need(careful_site: Site) -> None:
    careful_site.sign(**TICKED)

    with careful_site.db.read() as session:
        signature = session.scalars(select(Signature)).one()
        agreed = set(session.scalars(select(Consent.purpose).where(Consent.given)))
    assert (signature.high_risk, signature.postal_code, signature.network) == (True, "", "")
    assert agreed == {Purpose.DELIVER_LETTER, Purpose.UPDATES}


def test_a_signer_may_ask_for_it_where_the_campaign_does_not(site: Site) -> None:
    site.sign(**TICKED, high_risk="yes")
    site.sign(email="other@example.org", postal_code="62701")

    with site.db.read() as session:
        risky, other = session.scalars(select(Signature).order_by(Signature.id))
    assert (risky.high_risk, risky.postal_code) == (True, "")
    assert (other.high_risk, other.postal_code) == (False, "62701")


def test_a_postal_code_stays_where_the_target_needs_it(site: Site) -> None:
    with site.db.begin() as session:
        campaign = site.campaign(session)
        campaign.needs_postal_code = campaign.high_risk = True
        signer = careful(campaign, check(SignForm(name="Jo Doe", email="jo@example.org", postal_code="62701")))
    assert signer.postal_code == "62701"


def test_a_campaign_that_becomes_one_of_high_risk_takes_care_of_who_signed_before(site: Site) -> None:
    site.confirm(site.sign(show_name="yes"))
    with site.db.begin() as session:
        session.scalars(select(Signature)).one().network = "n1"
        campaign_settings.change(session, "shelters", {"high_risk": True}, now=site.now, actor="test")

    with site.db.read() as session:
        signature = session.scalars(select(Signature)).one()
    assert (signature.high_risk, signature.network) == (True, "")
    assert "Jane" not in bare(site.get("/c/shelters"))


def test_no_internet_address_is_stored_or_logged(
    careful_site: Site, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    app = careful_site.client.app
    careful_site.client = TestClient(
        app, base_url=careful_site.settings.base_url, client=(IP, 50000), follow_redirects=False
    )
    with caplog.at_level(logging.DEBUG):
        careful_site.get("/c/shelters")
        letter = careful_site.confirm(careful_site.sign())
        careful_site.get(letter)
        careful_site.client.post(f"{letter}/withdraw")

    printed = capsys.readouterr()
    said = printed.out + printed.err + caplog.text  # wherever an earlier test left the log to go
    assert IP not in everything_stored(careful_site)
    assert "/c/{slug}/sign" in said  # it was listened to
    assert IP not in said


def test_every_page_of_the_campaign_has_a_way_to_leave_at_once_and_pages_of_others_have_none(
    careful_site: Site,
) -> None:
    confirm = careful_site.sign()
    pages = [careful_site.get("/c/shelters"), careful_site.get("/c/shelters/check-your-email")]
    pages.append(careful_site.get(confirm))
    letter = careful_site.confirm(confirm)
    pages += [careful_site.get(letter), careful_site.get(f"{letter}/withdraw"), careful_site.get(f"{letter}/change")]
    typed = {"name": "Jane Q. Doe", "own_words": "I wait in the rain."}
    pages.append(careful_site.client.post(f"{letter}/change/check", data=typed).text)
    careful_site.set(self_send=True)
    pages.append(careful_site.get("/c/shelters/send"))

    for html in pages:
        assert f'href="{careful_site.settings.exit_url}"' in html
        assert "data-exit" in html
    assert "data-exit" not in careful_site.get("/")
    assert "data-draft" not in pages[0]
    assert "Your name is not shown in public" in bare(pages[0])
    assert 'name="show_name"' not in pages[0]


def at_risk(session: Session, campaign: Campaign, now: datetime) -> Signature:
    """A confirmed signature whose name must stay hidden, with words of its own."""
    signature = factories.signature(session, campaign, own_words="A secret.", state=SignatureState.CONFIRMED, now=now)
    signature.high_risk = True
    return signature


def shreds(site: Site, signature: Signature) -> bool:
    """Whether the chore deletes the signature's words now."""
    with site.db.begin() as session:
        people.apply(session, people.overdue(session, site.settings, now=site.now), actor="test", now=site.now)
    with site.db.read() as session:
        return session.get_one(Signature, signature.id).own_words == ""


def test_the_words_are_deleted_once_every_letter_was_delivered_and_the_books_still_balance(careful_site: Site) -> None:
    site = careful_site
    with site.db.begin() as session:
        campaign = site.campaign(session)
        signature = at_risk(session, campaign, site.now)
        sent = {"state": State.ACCEPTED, "accepted_at": site.now, "now": site.now}
        one, two = (
            factories.delivery(session, signature, target, **sent) for target in factories.targets_of(session, campaign)
        )
        one.event_state = EventState.DELIVERED
        factories.reply(session, one, quoted="> A secret.", now=site.now)
        token = factories.token(session, signature, purpose="receipt", valid_for=None)
    assert not shreds(site, signature)  # the second may still bounce

    with site.db.begin() as session:
        session.get_one(Delivery, two.id).event_state = EventState.DELIVERED
    by_hand = replace(site.settings, transport="smtp")
    with site.db.read() as session:
        before = audit(session, by_hand)
    assert shreds(site, signature)

    assert "secret" not in everything_stored(site).casefold()
    assert "Its text was deleted after it had been delivered" in bare(site.get(f"/letter/{token}"))
    with site.db.read() as session:
        assert session.get_one(Signature, signature.id).shredded_at == site.now
        assert all(row.content_hash for row in session.scalars(select(Delivery)))
        assert session.scalars(select(Reply.text)).one() == "Yes, we will."
        assert audit(session, by_hand) == before


def test_where_no_report_comes_the_words_are_deleted_some_days_after_the_letter_left(careful_site: Site) -> None:
    site = careful_site
    with site.db.begin() as session:
        signature = at_risk(session, site.campaign(session), site.now)
        factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=site.now, now=site.now)
    site.now += timedelta(days=site.settings.keep_risky_days)
    assert not shreds(site, signature)
    site.now += timedelta(seconds=1)
    assert shreds(site, signature)


def test_words_that_a_letter_still_needs_are_kept(careful_site: Site) -> None:
    site = careful_site
    with site.db.begin() as session:
        campaign = site.campaign(session)
        signature = at_risk(session, campaign, site.now)
        one, two = factories.targets_of(session, campaign)
        factories.delivery(
            session, signature, one, state=State.ACCEPTED, accepted_at=site.now, now=site.now
        ).event_state = EventState.DELIVERED
        factories.delivery(session, signature, two, state=State.HELD, reason="no_contact", now=site.now)
    site.now += timedelta(days=27)
    assert not shreds(site, signature)
