"""What counts is said in one place: a suspect signature is in no number, no audience and no follow-up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from outreach import dashboards
from outreach.domain.deliveries import Stream
from outreach.domain.ladders import Trigger
from outreach.ladders import NewRung
from outreach.models import Campaign, Database, Signature, SignatureState
from outreach.settings import Settings
from tests import factories
from tests.integration.test_audiences import counts
from tests.integration.test_ladders import build, notices, run
from tests.integration.wave_scenes import Scene, agreeing, holding_campaign
from tests.sites import Site


@pytest.fixture
def scene(db: Database, settings: Settings, now: datetime) -> Scene:
    return Scene(db, settings, now, stream=Stream.NEWS)


def newest(session: object) -> Signature:
    return session.scalars(select(Signature).order_by(Signature.id.desc())).first()  # type: ignore[attr-defined, no-any-return]


def test_a_suspect_is_in_no_public_number_and_shown_apart_to_organizers(site: Site) -> None:
    site.confirm(site.sign())
    site.confirm(site.sign(email="bot@example.org"))
    with site.db.begin() as session:
        newest(session).suspect = "burst"
    assert "1 person has signed" in " ".join(site.get("/").split())
    with site.db.read() as session:
        (row,) = dashboards.campaigns_overview(session)
    assert (row.confirmed, row.pending, row.suspects) == (1, 0, 1)


def test_a_suspect_is_left_out_of_an_audience_by_name_and_a_household_is_one_reader(scene: Scene) -> None:
    with scene.db.begin() as session:
        campaign = holding_campaign(session)
        good, bot = agreeing(session, campaign, 2)
        bot.suspect = "burst"
        for state, name in ((SignatureState.CONFIRMED, "joe"), (SignatureState.WITHDRAWN, "ann")):
            other = factories.signature(session, campaign, state=SignatureState.WITHDRAWN, by=good.supporter, name=name)
            other.state, other.household_key = state, name
    assert counts(scene, campaign) == {"signed": 2, "suspect": 1, "will_get_it": 1}


def test_a_suspect_waits_for_staff_before_any_follow_up(db: Database, now: datetime) -> None:
    build(db, NewRung(Trigger.CONFIRMED, "Thanks", "Thank you."), now=now)
    with db.begin() as session:
        campaign = session.get_one(Campaign, 1)
        factories.signature(session, campaign, state=SignatureState.CONFIRMED, now=now).suspect = "burst"
    assert run(db, now + timedelta(minutes=5)) == (1, 0, 0)
    with db.begin() as session:
        newest(session).suspect = ""
    assert run(db, now + timedelta(days=1, minutes=6)) == (0, 1, 0)
    assert len(notices(db)) == 1


def test_threat_b1_whoever_was_never_asked_is_not_reminded_either(db: Database, now: datetime) -> None:
    build(db, NewRung(Trigger.SIGNED, "Confirm", "Look into your mail."), now=now)
    with db.begin() as session:
        factories.signature(session, session.get_one(Campaign, 1), now=now)
    assert run(db, now + timedelta(hours=1)) == (0, 0, 0)
