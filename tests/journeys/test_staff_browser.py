"""Staff in a real browser: sign in by link, watch the queue, pause everything, resume; no page keeps anybody out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from outreach import accounts, heartbeats, outbox
from outreach.domain.deliveries import MailClass, State
from outreach.keys import Keys
from outreach.models import (
    Attempt,
    CampaignKind,
    CampaignState,
    Database,
    Delivery,
    ProviderState,
    Role,
    SignatureState,
    Target,
)
from tests import factories
from tests.browser import PHONE, Site, Visitor, shut_out

pytestmark = pytest.mark.browser


def link(site: Site, role: Role = Role.STAFF) -> str:
    """The path of a sign-in link for a new member of the team."""
    with site.db.begin() as session:
        user = factories.user(session, name="Ana Ortiz", role=role)
        url = accounts.sign_in_link(
            session, user, keys=Keys(site.settings.secret_key), settings=site.settings, now=datetime.now(UTC)
        )
    return url.removeprefix(site.url)


def signed_in(site: Site, visit: Visitor, role: Role = Role.STAFF, **how: object) -> Page:
    page = visit(link(site, role), **how).page
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/(staff|console)$"))
    return page


def furnish(db: Database) -> None:
    """A week's worth of everything: campaigns in three states, letters in many, a closed provider, processes."""
    now = datetime.now(UTC)
    with db.begin() as session:
        silent = factories.target(session, name="Cleo Diaz", office="Housing Minister", email=None)
        mayor = factories.target(
            session, name="Bo Reyes", office="Mayor", email="mayor@example.net", per_hour=30, per_day=300
        )
        rents = factories.campaign(
            session,
            slug="rents",
            title="Keep rents within reach of those who work here",
            kind=CampaignKind.PETITION,
            targets=[mayor, silent],
            demands=["Cap rents.", "Build homes."],
        )
        factories.campaign(session, slug="draft", state=CampaignState.DRAFT)
        factories.campaign(session, slug="old", state=CampaignState.CLOSED)
        for n, state in enumerate([*State, State.QUEUED, State.QUEUED, State.ACCEPTED]):
            if state in (State.CLAIMED, State.SENDING):
                continue
            signature = factories.signature(session, rents, state=SignatureState.CONFIRMED, name=f"Jane Doe {n}")
            doubt = {"doubt_since": now - timedelta(hours=3), "maybe_sent": True} if state is State.IN_DOUBT else {}
            delivery = factories.delivery(
                session, signature, mayor, state=state, due_at=now - timedelta(minutes=n), reason="", **doubt
            )
            if state is State.IN_DOUBT:
                delivery.attempts = 1
                session.add(
                    Attempt(
                        delivery_id=delivery.id,
                        number=1,
                        lane_id=delivery.lane_id,
                        claim_token="t",
                        transport="sendgrid",
                        started_at=now,
                        ended_at=now,
                        outcome="unknown",
                        detail="the connection broke while the answer was awaited",
                    )
                )
            factories.delivery(session, signature, silent, state=State.HELD, reason="no_contact")
            factories.delivery(session, signature, mail_class=MailClass.CONFIRMATION, purpose="confirm")
        heartbeats.beat(session, "worker:machine-one:4711", kind="worker", in_flight=12, now=now)
        heartbeats.beat(session, "beat:machine-one:4712", kind="beat", now=now)
        session.add(
            ProviderState(
                transport="sendgrid",
                closed_until=now + timedelta(minutes=4),
                reason="429 too many requests",
                strikes=2,
                changed_at=now,
            )
        )


def test_staff_sign_in_by_link_pause_everything_and_resume(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit)
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()
    page.get_by_role("link", name="Pause everything").click()

    page.get_by_role("button", name="Pause everything").click()  # nothing filled in
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("Why?").fill("A typo in the letter")
    page.get_by_label("Type the word pause").fill("pause")
    page.get_by_role("button", name="Pause everything").click()

    expect(page.get_by_role("alert")).to_contain_text("Paused.")
    banner = page.get_by_role("region", name="Everything is paused")
    expect(banner).to_contain_text("A typo in the letter")
    page.get_by_role("link", name="Campaigns").click()
    expect(banner).to_be_visible()
    with site.db.read() as session:
        assert [brake.scope for brake in outbox.brakes_pulled(session)] == ["all"]

    banner.get_by_role("link", name="Resume sending").click()
    page.get_by_role("button", name="Resume everything").click()
    expect(page.get_by_role("alert")).to_contain_text("Resumed.")
    expect(banner).to_have_count(0)
    with site.db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_the_queue_keeps_itself_up_to_date_without_taking_the_focus(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit)
    state = page.get_by_role("link", name="Queued", exact=True)
    state.focus()
    with site.db.begin() as session:
        factories.delivery(session, factories.signature(session, factories.campaign(session)))
    row = page.get_by_role("row", name=re.compile("^Queued"))
    expect(row.get_by_role("cell").last).to_have_text("1")
    expect(state).to_be_focused()
    expect(page.get_by_text(re.compile("Updated .* ago"))).to_be_visible()


def test_a_lost_connection_and_a_lost_session_are_said(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit)
    page.clock.install()
    page.reload()
    page.route("**/staff/live*", lambda route: route.abort())
    page.clock.run_for(15_000)
    expect(page.get_by_text("Connection lost. Retrying…").first).to_be_visible()
    page.unroute("**/staff/live*")
    page.clock.run_for(4_000)
    expect(page.get_by_text(re.compile("Updated .* ago"))).to_be_visible()
    with site.db.begin() as session:
        accounts.sign_out_everywhere(session, 1, now=datetime.now(UTC), actor="cli")
    page.clock.run_for(4_000)
    expect(page.get_by_text("You have been signed out").first).to_be_visible()


def test_without_scripts_the_queue_page_reloads_itself(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit, scripts=False)
    with page.expect_navigation(url="**/staff?live=1"):
        pass
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()


def test_an_organizer_gives_a_target_an_address(site: Site, visit: Visitor) -> None:
    furnish(site.db)
    page = signed_in(site, visit, Role.ORGANIZER, size=PHONE)
    page.get_by_role("link", name="Keep rents within reach of those who work here").click()
    page.get_by_role("link", name="Give it an address of Housing Minister Cleo Diaz").click()
    page.get_by_label("Email address of the office").fill("nobody")
    page.get_by_role("button", name="Write to this address").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Email address of the office").fill("cleo@example.net")
    page.get_by_role("button", name="Write to this address").click()
    expect(page.get_by_role("alert")).to_contain_text("Saved.")
    expect(page.get_by_text("Held: no contact")).to_have_count(0)


def test_nobody_is_kept_out_of_the_inner_pages(site: Site, visit: Visitor) -> None:
    furnish(site.db)
    path = link(site)
    page = visit("/sign-in").page
    assert shut_out(page) == []
    page.goto(site.url + path)
    assert shut_out(page) == []
    page.get_by_role("button", name="Sign in").click()
    with site.db.begin() as session:
        ref = session.scalars(select(Delivery.ref).where(Delivery.state == State.IN_DOUBT)).one()
        outbox.pull_brake(session, "stream:news", actor="user:1", reason="The wrong list", now=datetime.now(UTC))
        target = session.scalars(select(Target.ref).where(Target.name == "Cleo Diaz")).one()
    paths = [
        "/staff",
        "/staff/pause?scope=all",
        "/staff/resume?scope=stream:news",
        "/staff/deliveries",
        "/staff/deliveries?state=sending&stream=news",
        f"/staff/deliveries/{ref}",
        f"/staff/deliveries/{ref}/resend",
        "/console",
        "/console/campaigns/rents",
        "/console/campaigns/draft/publish",
        "/console/campaigns/rents/close",
        f"/console/campaigns/rents/targets/{target}",
    ]
    for path in paths:
        page.goto(site.url + path)
        assert (path, shut_out(page)) == (path, [])
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
