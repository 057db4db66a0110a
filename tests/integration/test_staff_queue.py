"""The queue page and the brakes: what they say, and what pausing needs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import heartbeats, outbox
from outreach.domain.deliveries import State, Stream
from outreach.models import AuditEntry, Database, Role
from outreach.settings import Settings
from tests.integration.inside import make_letter, send, signed_in, token

pytestmark = pytest.mark.usefixtures("rung")


def test_the_queue_page_says_what_is_there(staff: TestClient, db: Database, now: datetime) -> None:
    make_letter(db, due_at=now - timedelta(minutes=20))
    make_letter(db, state=State.HELD, reason="no_contact")
    make_letter(db, state=State.IN_DOUBT, doubt_since=now - timedelta(hours=3), maybe_sent=True)
    with db.begin() as session:
        heartbeats.beat(session, "worker:host:1", kind="worker", now=now)
    page = staff.get("/staff").text
    assert "the oldest due mail for 20 minutes" in page
    assert "in doubt; the oldest for 3 hours" in page
    assert "The target has no email contact" in page
    assert "worker:host:1" in page
    assert "No worker is alive" not in page
    assert "No timetable is alive" in page
    assert '<noscript><meta http-equiv="refresh"' in page


def test_the_queue_page_says_when_nobody_works(staff: TestClient) -> None:
    assert "No worker is alive" in staff.get("/staff").text


def test_pausing_everything_needs_the_word_and_a_reason(staff: TestClient, db: Database) -> None:
    answer = send(staff, "/staff/pause?scope=all", reason="", word="stop")
    assert answer.status_code == 422
    assert "Say why." in answer.text
    assert "Type the word pause." in answer.text
    with db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_pause_and_resume_are_shown_everywhere_and_written_down(
    staff: TestClient, settings: Settings, db: Database, now: datetime, rung: list[Stream]
) -> None:
    organizer = signed_in(settings, db, now, Role.ORGANIZER, name="Bo Reyes")
    assert "Everything is paused" not in organizer.get("/console").text
    answer = send(staff, "/staff/pause?scope=all", reason="<b>A typo</b> in the letter", word=" Pause ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff?done=paused")
    for client, path in ((staff, "/staff"), (staff, "/staff/deliveries"), (staff, "/console"), (organizer, "/console")):
        page = client.get(path).text
        assert "Everything is paused." in page
        assert "Ana Ortiz paused it" in page
        assert "&lt;b&gt;A typo&lt;/b&gt; in the letter" in page
    assert "Staff can resume it." in organizer.get("/console").text
    assert rung == []

    assert send(staff, "/staff/resume?scope=all").headers["location"] == "/staff?done=resumed"
    assert "Everything is paused." not in staff.get("/console").text
    assert rung == list(Stream)
    with db.read() as session:
        acts = session.execute(select(AuditEntry.action, AuditEntry.actor).where(AuditEntry.action.like("brake%")))
        assert [tuple(act) for act in acts] == [("brake.pull", "user:1"), ("brake.lift", "user:1")]


def test_one_stream_can_be_paused(staff: TestClient, db: Database) -> None:
    send(staff, "/staff/pause?scope=stream:news", reason="wrong list")
    with db.read() as session:
        assert [b.scope for b in outbox.brakes_pulled(session)] == ["stream:news"]
    page = staff.get("/staff").text
    assert "/staff/pause?scope=stream:news" not in page
    assert "/staff/resume?scope=stream%3Anews" in page
    assert "Everything is paused." not in page


@pytest.mark.parametrize("scope", ["", "everything", "stream:x", "target:1'--", "all\n"])
def test_only_known_scopes_can_be_paused(staff: TestClient, db: Database, scope: str) -> None:
    assert staff.get("/staff/pause", params={"scope": scope}).status_code == 404
    form = {"scope": scope, "reason": "x", "word": "pause", "form_token": token(staff)}
    assert staff.post("/staff/pause", data=form).status_code == 404
    with db.read() as session:
        assert outbox.brakes_pulled(session) == []


def test_resuming_what_is_not_paused_says_so(staff: TestClient) -> None:
    assert staff.get("/staff/resume?scope=all").status_code == 409
    assert staff.post("/staff/resume", data={"scope": "all", "form_token": token(staff)}).status_code == 409
