"""The staff's pages of lanes, failures and alerts, and what can be stopped from them."""

from __future__ import annotations

import re
from collections import Counter as Tally
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import alerts, outbox
from outreach.audit import audit
from outreach.domain.deliveries import EventState, State
from outreach.domain.events import Cause, EventKind
from outreach.models import (
    Alert,
    AuditEntry,
    Campaign,
    Database,
    Delivery,
    ProviderEvent,
    ProviderState,
    SignatureState,
    Target,
    WaveState,
)
from outreach.settings import Settings
from tests import factories
from tests.integration.inside import fields, make_letter, send, token
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

HOSTILE = "<img src=x onerror=alert(1)>{{ 7*7 }}"


def scopes(db: Database) -> list[str]:
    with db.read() as session:
        return [brake.scope for brake in outbox.brakes_pulled(session)]


def test_a_lane_says_what_waits_its_pace_and_when_it_opens(staff: TestClient, db: Database, now: datetime) -> None:
    assert "Nothing waits to leave." in staff.get("/staff/lanes").text
    with db.begin() as session:
        mayor = factories.target(session, name="Bo Reyes", office="Mayor", per_hour=30, per_day=300)
        campaign = factories.campaign(session, slug="rents", title="Cap rents", targets=[mayor])
        for _ in range(2):
            factories.delivery(session, factories.signature(session, campaign, state=SignatureState.CONFIRMED))
        mayor.contacts[0].lane.opens_at = now + timedelta(hours=2)
    page = bare(staff.get("/staff/lanes").text)
    assert "Mayor Bo Reyes 2 Mon 2 Mar 2026, 12:00 UTC up to 30 an hour and 300 a day" in page
    assert "Pause letters to Mayor Bo Reyes" in page
    assert "Mon 2 Mar 2026, 14:00 UTC" in page
    assert "Cap rents 2 Pause “Cap rents”" in page


def test_a_target_and_a_campaign_are_paused_and_resumed_by_their_names(staff: TestClient, db: Database) -> None:
    letter = make_letter(db)
    with db.begin() as session:
        target = session.get_one(Target, letter.target_id)
        target.name, target.office = "Bo Reyes", "Mayor"
        session.get_one(Campaign, letter.campaign_id).title = "Cap rents"
    for scope, what in (
        (f"target:{letter.target_id}", "letters to Mayor Bo Reyes"),
        (f"campaign:{letter.campaign_id}", "“Cap rents”"),
    ):
        page = f"/staff/pause?scope={scope}"
        assert f"<h1>Pause {what}</h1>" in staff.get(page).text
        assert send(staff, page, reason="A typo").status_code == 303
        assert scopes(db) == [scope]
        assert what in staff.get("/staff").text
        assert f"/staff/resume?scope={scope}" in staff.get("/staff/lanes").text
        assert send(staff, f"/staff/resume?scope={scope}").status_code == 303
        assert scopes(db) == []
    with db.read() as session:
        acts = session.scalars(select(AuditEntry.action).where(AuditEntry.actor == "user:1")).all()
    assert [act for act in acts if act.startswith("brake")] == ["brake.pull", "brake.lift"] * 2


def test_a_way_out_is_paused_and_what_is_unknown_is_not(staff: TestClient, db: Database, now: datetime) -> None:
    with db.begin() as session:
        session.add(ProviderState(transport="sendgrid", closed_until=None, reason="", strikes=0, changed_at=now))
    send(staff, "/staff/pause?scope=transport:sendgrid", reason="They asked us to")
    assert scopes(db) == ["transport:sendgrid"]
    for scope in ("transport:pigeon", "target:99", "campaign:99", "wave:1", "target:x", "campaign:", "nothing"):
        assert staff.get(f"/staff/pause?scope={scope}").status_code == 404, scope
        form = {"scope": scope, "reason": "x", "form_token": token(staff)}
        assert staff.post("/staff/pause", data=form).status_code == 404, scope
    assert scopes(db) == ["transport:sendgrid"]


def test_a_provider_that_is_closed_can_be_tried_at_once(staff: TestClient, db: Database, now: datetime) -> None:
    until = now + timedelta(minutes=10)
    with db.begin() as session:
        session.add(ProviderState(transport="sendgrid", closed_until=until, strikes=3, reason="away", changed_at=now))
    action = "/staff/transports/sendgrid/try"
    assert send(staff, "/staff", action).headers["location"] == "/staff?done=trying"
    assert "Try now" not in staff.get("/staff").text
    assert send_anyway(staff, action).status_code == 409, "somebody, or the engine, was faster"
    with db.read() as session:
        assert session.get_one(ProviderState, "sendgrid").closed_until == now


def send_anyway(staff: TestClient, action: str):  # type: ignore[no-untyped-def]
    return staff.post(action, data={"form_token": token(staff)})


def test_failures_stand_by_cause_with_what_helps_and_where_to_act(staff: TestClient, db: Database) -> None:
    assert "Nothing has failed" in staff.get("/staff/failures").text
    dead = make_letter(db, state=State.DEAD, reason="the template is broken")
    doubt = make_letter(db, state=State.IN_DOUBT, reason="", doubt_since=factories.NOON)
    page = staff.get("/staff/failures").text
    said = bare(page)
    assert "The template is broken Letters Dead 1 Nothing has left. Once the reason is gone, send it again." in said
    for letter in (dead, doubt):
        assert f'href="/staff/deliveries/{letter.ref}"' in page
    for name in ("resend", "cancel"):
        assert f"/staff/deliveries/{doubt.ref}/{name}" in staff.get(f"/staff/deliveries/{doubt.ref}").text


def failures_page(staff: TestClient, act: str, nth: int = 0) -> str:
    """The page on which an act on all mails of a cause is checked."""
    return re.findall(rf'href="(/staff/failures/[0-9a-f]+/{act})"', staff.get("/staff/failures").text)[nth]


def states(db: Database) -> Tally[State]:
    with db.read() as session:
        return Tally(session.scalars(select(Delivery.state)))


def test_all_mails_of_a_cause_are_sent_again_as_one_act(staff: TestClient, db: Database) -> None:
    for _ in range(3):
        make_letter(db, state=State.DEAD, reason="the template is broken")
    make_letter(db, state=State.DEAD, reason="something else")
    page = failures_page(staff, "retry")
    assert "<h1>Retry 3 mails</h1>" in staff.get(page).text
    assert send(staff, page).status_code == 422, "it asks why"
    make_letter(db, state=State.DEAD, reason="the template is broken")
    shown = fields(staff, page, page)
    assert send(staff, page, reason="The template was mended", n="3").status_code == 422, "there are four by now"
    assert states(db) == {State.DEAD: 5}
    assert send(staff, page, reason="The template was mended", n=shown["n"]).status_code == 303
    assert states(db) == {State.DEAD: 1, State.QUEUED: 4}
    with db.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "failures.let_go"))
        assert entry.after == {"n": 4, "reason": "The template was mended"}
        assert audit(session, Settings()).balanced
    assert staff.get(page).status_code == 404, "none is left"


def test_mails_in_doubt_are_sent_again_only_by_the_typed_words(staff: TestClient, db: Database) -> None:
    for _ in range(2):
        make_letter(db, state=State.IN_DOUBT, doubt_since=factories.NOON, maybe_sent=True)
    page = failures_page(staff, "retry")
    assert "may get two" in staff.get(page).text
    for word in ("", "resend", "resend 3"):
        assert send(staff, page, reason="They say nothing came", word=word).status_code == 422
    assert states(db) == {State.IN_DOUBT: 2}
    assert send(staff, page, reason="They say nothing came", word="Resend 2").status_code == 303
    assert states(db) == {State.QUEUED: 2}


def test_what_staff_have_seen_to_is_told_of_no_more_until_it_fails_again(
    staff: TestClient, db: Database, now: datetime
) -> None:
    refused = make_letter(db, state=State.REJECTED, reason="no such template")
    dead = make_letter(db, state=State.DEAD, reason="broken")
    for _ in range(2):
        assert send(staff, failures_page(staff, "handled"), reason="Written to them by hand").status_code == 303
    assert "Nothing has failed" in staff.get("/staff/failures").text
    assert states(db) == {State.REJECTED: 1, State.DEAD: 1}
    with db.begin() as session:
        outbox.resend(session, dead.ref, actor="cli", now=now)
        again = session.get_one(Delivery, dead.id)
        assert again.handled_at is None
        assert session.get_one(Delivery, refused.id).handled_at == now


def test_held_mails_are_released_together_and_refused_ones_cannot_be_sent_again(
    staff: TestClient, db: Database
) -> None:
    make_letter(db, state=State.HELD, reason="looked into")
    page = failures_page(staff, "retry")
    assert "<h1>Release 1 mail</h1>" in staff.get(page).text
    assert send(staff, page, reason="It is fine").status_code == 303
    assert states(db) == {State.QUEUED: 1}
    make_letter(db, state=State.REJECTED, reason="too large")
    assert staff.get(failures_page(staff, "handled").replace("handled", "retry")).status_code == 404


def test_d13_a_reason_with_html_shows_escaped_in_the_staff_views(
    staff: TestClient, db: Database, now: datetime
) -> None:
    rejected = make_letter(db, state=State.REJECTED, reason=HOSTILE)
    bounced = make_letter(db, state=State.ACCEPTED)
    with db.begin() as session:
        session.get_one(Delivery, bounced.id).event_state = EventState.BOUNCED
        session.add(
            ProviderEvent(
                id="e1",
                delivery_id=bounced.id,
                kind=EventKind.BOUNCED,
                cause=Cause.BAD_ADDRESS,
                at=now,
                received_at=now,
                reason=HOSTILE,
            )
        )
        session.add(
            ProviderState(
                transport="sendgrid", closed_until=now + timedelta(1), reason=HOSTILE, strikes=3, changed_at=now
            )
        )
        alerts.raise_alert(session, "transport:sendgrid", f"Nothing leaves: {HOSTILE}.", now=now)
        outbox.pull_brake(session, "stream:news", actor="cli", reason=HOSTILE, now=now)
    paths = [
        "/staff",
        "/staff/live",
        "/staff/failures",
        "/staff/alerts",
        "/staff/deliveries",
        f"/staff/deliveries/{rejected.ref}",
        f"/staff/deliveries/{bounced.ref}",
        "/staff/resume?scope=stream:news",
    ]
    for path in paths:
        page = staff.get(path).text
        assert "<img" not in page, path
        assert "&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}" in page, path


def test_an_alert_stands_on_the_queue_page_until_somebody_closes_it(
    staff: TestClient, db: Database, now: datetime
) -> None:
    with db.begin() as session:
        alerts.raise_alert(session, "wave:3", "Wave 3 was paused: the limit is 2 %.", now=now)
    assert "1 thing needs a person Wave 3 was paused: the limit is 2 %." in bare(staff.get("/staff").text)
    page = staff.get("/staff/alerts").text
    assert 'href="/console/waves/3"' in page
    answer = send(staff, "/staff/alerts", "/staff/alerts/1/close")
    assert "Closed. If it is still wrong" in staff.get(answer.headers["location"]).text
    assert "Nothing needs a person now." in staff.get("/staff/alerts").text
    with db.read() as session:
        assert session.scalars(select(Alert.closed_by)).one() == "user:1"
        assert "alert.close" in session.scalars(select(AuditEntry.action)).all()
    again = staff.post("/staff/alerts/1/close", data={"form_token": token(staff)})
    assert again.status_code == 409
    assert "This alert is closed already." in again.text


def test_waves_that_are_not_over_stand_on_the_queue_page(staff: TestClient, db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", title="Cap rents")
        for state in (WaveState.PAUSED, WaveState.FINISHED):
            factories.wave(session, campaign, state=state, name=f"The {state} one")
    page = bare(staff.get("/staff").text)
    assert "The paused one" in page
    assert "The finished one" not in page
    assert "Standing wave" not in page  # it is at work: nobody has to look
