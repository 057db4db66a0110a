"""Follow-ups on both databases: who gets which step, once, and who gets none."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import func, select

from outreach import ladders
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.ladders import StepState, Trigger
from outreach.errors import BadInput, BadTemplate
from outreach.ladders import DEFAULTS, NewRung, climb
from outreach.models import (
    Campaign,
    Consent,
    Database,
    Delivery,
    Ladder,
    Rung,
    Signature,
    SignatureState,
    Step,
)
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports.memory import MemoryTransport
from tests import factories

GONE, ANSWER = DEFAULTS


def sent_letter(db: Database, at: datetime, name: str = "Jane Doe") -> int:
    """A signature of the one campaign whose letter was accepted at `at`; its id."""
    with db.begin() as session:
        campaign = session.scalar(select(Campaign)) or factories.campaign(session, now=at - timedelta(days=1))
        signature = factories.signature(session, campaign, name=name, state=SignatureState.CONFIRMED, now=at)
        factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=at, now=at)
        return signature.id


def run(db: Database, now: datetime, *, per_week: int = 3) -> tuple[int, int, int]:
    done = climb(db, mails_per_week=per_week, now=now)
    return done.begun, done.sent, done.skipped


def notices(db: Database) -> list[str]:
    with db.read() as session:
        made = select(Delivery.purpose).where(Delivery.mail_class == MailClass.NOTICE).order_by(Delivery.id)
        return list(session.scalars(made))


def build(db: Database, *rungs: NewRung, now: datetime) -> list[int]:
    """A ladder of the one campaign instead of the one it would begin with; the rungs' ids."""
    with db.begin() as session:
        campaign = session.scalar(select(Campaign)) or factories.campaign(session, now=now)
        return [rung.id for rung in ladders.build(session, campaign, "Ours", rungs, now=now, actor="test").rungs]


def test_every_published_campaign_begins_with_the_default_ladder(db: Database, now: datetime) -> None:
    sent_letter(db, now)

    assert run(db, now) == (2, 1, 0)
    assert run(db, now) == (0, 0, 0)
    assert run(db, now + timedelta(days=13)) == (0, 0, 0)
    assert run(db, now + timedelta(days=14)) == (0, 1, 0)
    with db.read() as session:
        first, second = session.scalars(select(Rung).order_by(Rung.number)).all()
        assert session.scalar(select(func.count()).select_from(Ladder)) == 1
    assert notices(db) == [f"rung:{first.id}", f"rung:{second.id}"]


def test_who_was_answered_is_not_asked_whether_there_was_an_answer(db: Database, now: datetime) -> None:
    sent_letter(db, now)
    run(db, now)
    with db.begin() as session:
        session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.LETTER)).one().replied_at = now

    assert run(db, now + timedelta(days=14)) == (0, 0, 1)
    with db.read() as session:
        assert session.scalar(select(Step.reason).where(Step.state == StepState.SKIPPED)) == "answered meanwhile"


def test_a_stopped_ladder_sends_nothing_more_and_is_not_built_again(db: Database, now: datetime) -> None:
    sent_letter(db, now)
    run(db, now)
    with db.begin() as session:
        ladders.stop(session, session.scalars(select(Ladder)).one(), now=now, actor="test")

    assert run(db, now + timedelta(days=14)) == (0, 0, 1)
    sent_letter(db, now + timedelta(days=14))
    assert run(db, now + timedelta(days=15)) == (0, 0, 0)


def test_two_climbers_at_once_send_each_step_once(db: Database, now: datetime) -> None:
    for _ in range(5):
        sent_letter(db, now)
    climbers = [Thread(target=run, args=(db, now)) for _ in range(3)]
    for climber in climbers:
        climber.start()
    for climber in climbers:
        climber.join()

    assert len(notices(db)) == 5
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Ladder)) == 1


def test_an_edit_does_not_move_who_waits_already(db: Database, now: datetime) -> None:
    (rung_id,) = build(db, ANSWER, now=now)
    sent_letter(db, now)
    run(db, now)
    with db.begin() as session:
        old = session.get_one(Rung, rung_id)
        change = NewRung(Trigger.LETTER_ACCEPTED, "Another text", "Hello.", wait=timedelta(days=1))
        new = ladders.edit_rung(session, old, change, now=now + timedelta(hours=1), actor="test")
    sent_letter(db, now + timedelta(hours=2), "Bo Li")

    assert run(db, now + timedelta(days=2)) == (1, 1, 0)
    assert notices(db) == [f"rung:{new.id}"]
    assert run(db, now + timedelta(days=14)) == (0, 1, 0)
    assert notices(db) == [f"rung:{new.id}", f"rung:{rung_id}"]


def test_a_new_rung_is_not_for_what_is_long_past(db: Database, now: datetime) -> None:
    sent_letter(db, now - timedelta(days=30))
    build(db, GONE, now=now)

    assert run(db, now) == (0, 0, 0)


def test_news_needs_consent_and_leaves_room_in_the_week(db: Database, now: datetime) -> None:
    news = NewRung(Trigger.CONFIRMED, "Come along", "Hello.", purpose="updates")
    build(db, news, NewRung(Trigger.CONFIRMED, "And bring a friend", "Hello.", purpose="updates"), now=now)
    one, two = sent_letter(db, now), sent_letter(db, now, "Bo Li")
    with db.begin() as session:
        agreed = session.get_one(Signature, one)
        session.add(
            Consent(
                supporter_id=agreed.supporter_id,
                campaign_id=agreed.campaign_id,
                purpose=Purpose.UPDATES,
                given=True,
                wording="You may keep me up to date.",
                source="web",
                at=now,
            )
        )

    assert run(db, now, per_week=1) == (4, 1, 2)
    with db.read() as session:
        told = session.scalars(select(Step.reason).where(Step.signature_id == two)).all()
        assert told == ["no consent"] * 2
    assert run(db, now + timedelta(days=3), per_week=1) == (0, 0, 0)
    assert run(db, now + timedelta(days=8), per_week=1) == (0, 1, 0)


def test_a_step_reads_like_a_letter_and_leads_to_the_signers_own_page(db: Database, settings: Settings) -> None:
    now = db.now() - timedelta(minutes=1)
    sent_letter(db, now)
    run(db, now)
    transport = MemoryTransport()
    hands = Hands(transport, width=1)
    assert send_due(db, hands, Desk(settings, factories.KEYS), stream=Stream.ACT, settings=settings) == 1
    hands.close()

    (mail,) = transport.sent
    assert mail.subject.startswith("Your letter has gone: ")
    assert mail.text.startswith("Hello Jane,\n")
    assert f"{settings.base_url}/letter/" in mail.text
    assert not any(name.startswith("List-") for name, _ in mail.headers)
    assert ("Auto-Submitted", "auto-generated") in mail.headers


@pytest.mark.parametrize(
    ("rung", "where"),
    [
        (NewRung(Trigger.CONFIRMED, "Hi", "Hello.", wait=timedelta(days=400)), "wait"),
        (NewRung(Trigger.CONFIRMED, "Hi", "Hello.", at="half past six"), "at"),
        (NewRung(Trigger.CONFIRMED, "Hi", "Hello.", zone="Mars/Base"), "zone"),
        (NewRung(Trigger.CONFIRMED, "Hi", "Hello.", conditions={"rich": True}), "conditions"),
        (NewRung(Trigger.CONFIRMED, "Hi", "Hello.", purpose="partners"), "purpose"),
    ],
)
def test_a_rung_that_makes_no_sense_names_what_is_wrong(db: Database, now: datetime, rung: NewRung, where: str) -> None:
    with pytest.raises(BadInput) as told:
        build(db, rung, now=now)

    assert told.value.where == where


def test_the_words_of_a_rung_are_looked_at_when_they_are_saved(db: Database, now: datetime) -> None:
    with pytest.raises(BadTemplate, match="no meaning in a mailing"):
        build(db, NewRung(Trigger.CONFIRMED, "Hi", "Hello {{ target.name }}."), now=now)
