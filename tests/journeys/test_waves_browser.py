"""Waves, follow-ups and the staff's lanes in a real browser: planned, started, taken back; and nobody is kept out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from outreach import accounts, alerts, holidays, ladders, outbox, waves
from outreach.domain.deliveries import State
from outreach.domain.waves import WaveKind, WaveState
from outreach.keys import Keys
from outreach.models import Campaign, Lane, Role, Rung, SignatureState, Wave
from tests import factories
from tests.browser import PHONE, Site, Visitor, shut_out
from tests.integration.wave_scenes import agreeing, confirmed, holding_campaign

pytestmark = pytest.mark.browser

NEW = "/console/campaigns/rents/waves/new"


def signed_in(site: Site, visit: Visitor, role: Role, **how: object) -> Page:
    with site.db.begin() as session:
        user = factories.user(session, name="Ana Ortiz", role=role)
        url = accounts.sign_in_link(
            session, user, keys=Keys(site.settings.secret_key), settings=site.settings, now=datetime.now(UTC)
        )
    page = visit(url.removeprefix(site.url), **how).page
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/(staff|console)$"))
    return page


def furnish(site: Site) -> dict[str, int]:
    """A campaign that holds its letters, with a wave in each state, a ladder, failures and alerts; the waves' ids."""
    now = datetime.now(UTC)
    with site.db.begin() as session:
        mayor = factories.target(
            session, name="Bo Reyes", office="Mayor of Springfield and the surrounding towns", per_hour=30, per_day=300
        )
        campaign = holding_campaign(
            session, slug="rents", title="Keep rents within reach of those who work here", targets=[mayor], now=now
        )
        confirmed(session, campaign, 3, own_words="My roof leaks.", now=now)
        agreeing(session, campaign, 2, now=now)
        factories.signature(session, campaign, now=now)
        ladders.build(
            session, campaign, "After the letter has gone", ladders.DEFAULTS, now=now, actor="test", checked=True
        )
        for state, columns in (
            (State.QUEUED, {}),
            (State.DEAD, {"reason": "the template is broken"}),
            (State.IN_DOUBT, {"doubt_since": now, "maybe_sent": True}),
        ):
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=now)
            factories.delivery(session, signature, mayor, state=state, now=now, **columns)
        session.scalars(select(Lane)).first().opens_at = now + timedelta(hours=3)  # type: ignore[union-attr]
        alerts.raise_alert(session, "wave:3", "Wave 3 was paused: 12 of 210 mails came back for good.", now=now)
        outbox.pull_brake(session, f"campaign:{campaign.id}", actor="cli", reason="A typo", now=now)
        return {str(kind): _draft(session, site, kind, now) for kind in WaveKind} | _others(session, campaign, now)


def _draft(session, site: Site, kind: WaveKind, now: datetime) -> int:  # type: ignore[no-untyped-def]
    words = {"subject": "News of {{ campaign.title }}", "body": "Dear {{ signer.first_name }},\n\nwe won."}
    draft = waves.Draft("rents", kind, name="Before the vote", **(words if kind is WaveKind.MAILING else {}))
    return waves.plan(session, draft, settings=site.settings, now=now, actor="test").id


def _others(session, campaign: Campaign, now: datetime) -> dict[str, int]:  # type: ignore[no-untyped-def]
    made = {}
    for state in (WaveState.STARTING, WaveState.SENDING, WaveState.PAUSED, WaveState.NEEDS_ATTENTION):
        wave = factories.wave(session, campaign, state=state, name=f"The {state} one", now=now)
        wave.go_at = now + timedelta(seconds=50)
        wave.started_at = None if state is WaveState.STARTING else now
        wave.reason = "1 in doubt: it may have left." if state in (WaveState.PAUSED, WaveState.NEEDS_ATTENTION) else ""
        made[str(state)] = wave.id
        for row in (State.ACCEPTED, State.QUEUED, State.IN_DOUBT) if wave.started_at else ():
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=now)
            factories.delivery(session, signature, state=row, wave_id=wave.id, now=now)
    return made


def test_an_organizer_plans_a_mailing_looks_at_it_starts_it_and_takes_it_back(site: Site, visit: Visitor) -> None:
    furnish(site)
    page = signed_in(site, visit, Role.ORGANIZER, size=PHONE)
    page.get_by_role("link", name="Keep rents within reach of those who work here").click()
    page.get_by_role("link", name="Plan a wave").click()
    page.get_by_role("link", name="A mailing to signers").click()
    page.get_by_label("Only from this place").fill("Springfield")
    page.get_by_label("Subject").fill("The vote is on Friday")
    page.get_by_role("button", name="Check this wave").click()

    expect(page.get_by_role("alert")).to_be_focused()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_role("link", name="Write what its readers should know.").click()
    expect(page.get_by_label("Text", exact=True)).to_be_focused()
    page.get_by_label("Text", exact=True).fill("Dear {{ signer.first_name }},\n\ncome to the town hall.")
    page.get_by_role("button", name="Check this wave").click()

    expect(page.get_by_role("alert")).to_contain_text("Planned.")
    expect(page.get_by_role("button", name=re.compile("^Send"))).to_have_count(0)
    page.get_by_role("button", name="See the first mail").click()
    expect(page.get_by_role("article")).to_contain_text("Dear Jane,")
    page.get_by_role("button", name="Send 2 mails").click()
    expect(page.get_by_role("heading", name=re.compile("Begins in"))).to_be_visible()
    page.get_by_role("button", name="Undo the start").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing has left")
    with site.db.read() as session:
        newest = session.scalars(select(Wave).order_by(Wave.id.desc())).first()
    assert newest is not None
    assert newest.state is WaveState.DRAFT


def test_a_wave_is_planned_and_paused_without_scripts(site: Site, visit: Visitor) -> None:
    ids = furnish(site)
    page = signed_in(site, visit, Role.ORGANIZER, scripts=False)
    page.goto(f"{site.url}{NEW}?kind=letters")
    page.get_by_label("Own words").select_option("Only without")
    page.get_by_role("button", name="Count again").click()
    expect(page.get_by_label("Own words")).to_have_value("no")
    expect(page.get_by_role("row", name=re.compile("Letters will leave"))).to_contain_text("0")
    page.goto(f"{site.url}/console/waves/{ids['sending']}")
    page.get_by_role("link", name="Pause this wave").click()
    page.get_by_label("Why?").fill("A typo in it")
    page.get_by_role("button", name="Pause this wave").click()
    expect(page.get_by_role("heading", name="Why it is paused")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("A typo in it")


def test_nobody_is_kept_out_of_the_pages_of_waves(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit, Role.STAFF)
    for path in ("/console/waves", "/staff/lanes", "/staff/failures", "/staff/alerts"):
        page.goto(site.url + path)
        assert (path, shut_out(page)) == (path, [])  # with nothing on them
    ids = furnish(site)
    paths = [
        "/staff",
        "/staff/lanes",
        "/staff/failures",
        "/staff/alerts",
        "/staff/pause?scope=target:1",
        "/console/waves",
        NEW,
        f"{NEW}?kind=letters",
        f"{NEW}?kind=mailing",
        *(f"/console/waves/{number}" for number in ids.values()),
        f"/console/waves/{ids['sending']}/cancel",
        "/console/campaigns/rents",
        "/console/campaigns/rents/follow-ups",
        "/console/campaigns/rents/follow-ups/1/stop",
    ]
    for path in paths:
        page.goto(site.url + path)
        assert (path, shut_out(page)) == (path, [])
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.goto(f"{site.url}{NEW}?kind=mailing")
    page.get_by_role("button", name="Check this wave").click()
    assert shut_out(page) == []  # with its errors


def steps_through(page: Page, site: Site) -> Iterator[str]:
    """Each page of limits, people and follow-up steps, open in the browser; its name."""
    furnish(site)
    with site.db.begin() as session:
        outbox.set_budget(session, "domain:example.gov", per_hour=600, hours="08:00-18:00", days="mon-fri")
        days = holidays.read_days("2026-12-25 Christmas Day")
        holidays.take_days(session, "us", days, now=datetime.now(UTC), actor="test")
        factories.signature(session, session.scalars(select(Campaign)).one(), by="jane@example.org")
        rung_id = session.scalars(select(Rung.id).order_by(Rung.id)).first()
    follow_ups = "/console/campaigns/rents/follow-ups"
    for path in (
        "/staff/budgets",
        "/staff/budgets/new",
        "/staff/budgets/domain:example.gov/change",
        "/staff/budgets/domain:example.gov/drop",
        "/staff/holidays",
        "/staff/retention",
        f"{follow_ups}/new",
        f"{follow_ups}/1/steps/new",
        f"{follow_ups}/1/steps/{rung_id}/change",
        f"{follow_ups}/1/steps/{rung_id}/end",
        "/staff/people",
    ):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 200, path
        yield path
    page.get_by_role("button", name="See what we hold").click()
    yield "/staff/people, with its error"
    page.get_by_label("Email address").fill("jane@example.org")
    page.get_by_role("button", name="See what we hold").click()
    yield "/staff/people, somebody"
    page.get_by_role("button", name="Erase this person").click()
    yield "/staff/people, before erasing"
    page.goto(f"{site.url}{follow_ups}/1/steps/new")
    page.locator("main form button[type=submit]").click()
    yield f"{follow_ups}/1/steps/new, with its errors"


def test_nobody_is_kept_out_of_limits_people_and_steps(site: Site, visit: Visitor) -> None:
    page = signed_in(site, visit, Role.STAFF)
    for name in steps_through(page, site):
        assert (name, shut_out(page)) == (name, [])
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
