"""The pages of follow-ups: what signers are written, who waits for it, and the end of it."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import ladders
from outreach.domain.ladders import StepState
from outreach.models import AuditEntry, Database, Ladder, SignatureState, Step
from tests import factories
from tests.integration.inside import send, token
from tests.sites import bare

pytestmark = pytest.mark.usefixtures("rung")

PAGE = "/console/campaigns/rents/follow-ups"


def furnish(db: Database, now: datetime, name: str = "After the letter") -> int:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
        ladder = ladders.build(session, campaign, name, ladders.DEFAULTS, now=now, actor="test", checked=True)
        last = ladder.rungs[-1]
        for state in (StepState.WAITING, StepState.WAITING, StepState.SENT, StepState.SKIPPED):
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
            session.add(Step(rung_id=last.id, signature_id=signature.id, state=state, due_at=now, created_at=now))
        return ladder.id


def test_a_campaign_without_follow_ups_says_when_there_will_be_some(organizer: TestClient, db: Database) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents")
    page = organizer.get(PAGE).text
    assert "No follow-ups yet." in page
    assert f'href="{PAGE}"' in organizer.get("/console/campaigns/rents").text


def test_each_step_says_when_to_whom_and_how_many(organizer: TestClient, db: Database, now: datetime) -> None:
    furnish(db, now)
    said = bare(organizer.get(PAGE).text)
    assert (
        "14 days after the mail provider took their letter every signer, about their own letter, "
        "unless the office answered 2 1 1" in said
    )
    assert "Soon after the mail provider took their letter every signer, about their own letter 0 0 0" in said


def test_follow_ups_are_begun_by_their_name(organizer: TestClient, db: Database, now: datetime) -> None:
    furnish(db, now)
    wrong = send(organizer, f"{PAGE}/new", name="  ")
    assert wrong.status_code == 422
    assert "Give these follow-ups a name." in wrong.text
    answer = send(organizer, f"{PAGE}/new", name=" After <b>June</b> ")
    page = organizer.get(answer.headers["location"]).text
    assert "<h2>After &lt;b&gt;June&lt;/b&gt;</h2>" in page
    assert "No steps yet." in page
    with db.read() as session:
        assert session.scalars(select(Ladder.name).order_by(Ladder.id)).all()[1:] == ["After <b>June</b>"]


def test_a_ladder_is_stopped_by_a_page_that_says_what_ends(organizer: TestClient, db: Database, now: datetime) -> None:
    ladder_id = furnish(db, now, name="<b>After</b>")
    check = organizer.get(f"{PAGE}/{ladder_id}/stop").text
    assert "2 mails wait for its time, and will not be sent." in check
    assert "<b>After" not in check
    answer = send(organizer, f"{PAGE}/{ladder_id}/stop")
    page = organizer.get(answer.headers["location"]).text
    assert "Stopped. Who waited on it gets nothing more from it." in page
    assert f"{PAGE}/{ladder_id}/stop" not in page
    assert organizer.get(f"{PAGE}/{ladder_id}/stop").status_code == 409
    with db.read() as session:
        assert session.get_one(Ladder, ladder_id).stopped_at == now
        assert session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "ladder.stop")).one() == "user:1"


def test_a_ladder_is_stopped_through_its_own_campaign_only(organizer: TestClient, db: Database, now: datetime) -> None:
    ladder_id = furnish(db, now)
    with db.begin() as session:
        factories.campaign(session, slug="other")
    path = f"/console/campaigns/other/follow-ups/{ladder_id}/stop"
    assert organizer.get(path).status_code == 404
    assert organizer.post(path, data={"form_token": token(organizer)}).status_code == 404
