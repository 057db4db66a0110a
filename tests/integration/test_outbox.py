"""The outbox on both databases: claims by several workers at once, lanes, brakes, and what staff do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select

from outreach import audit, outbox, suppression, targets
from outreach.domain.deliveries import MAX_ATTEMPTS, MailClass, State
from outreach.errors import NotNow
from outreach.models import (
    Anomaly,
    Attempt,
    Contact,
    Database,
    Delivery,
    LogEntry,
    SignatureState,
)
from outreach.outbox import Answer, Books, Going
from outreach.settings import Settings
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable
from tests import factories
from tests.integration.outbox_scenes import LEASE, claim, intend, letters, settle, states


def test_many_workers_at_once_never_claim_the_same_letter(db: Database, now: datetime) -> None:
    ids = letters(db, 200)
    start = Barrier(4)

    def work(_: int) -> list[int]:
        start.wait()
        mine: list[int] = []
        while held := claim(db, now, limit=7):
            mine += held.ids
        return mine

    with ThreadPoolExecutor(4) as pool:
        taken = [id_ for mine in pool.map(work, range(4)) for id_ in mine]
    assert sorted(taken) == sorted(ids)


def test_many_workers_at_once_stay_within_the_cap_of_one_mailbox(db: Database, now: datetime) -> None:
    letters(db, 60, per_hour=300)  # of which five minutes bear 25
    start = Barrier(4)

    def work(_: int) -> int:
        start.wait()
        return sum(len(held.ids) for _ in range(6) if (held := claim(db, now, limit=4)))

    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(work, range(4)))
    # A worker that meets another at the same lane passes on, so a place may be left over; never one too many.
    assert taken <= 25
    rest = claim(db, now)
    assert taken + (len(rest.ids) if rest else 0) == 25


def test_the_window_slides_and_counts_from_the_end_of_each_hand_over(db: Database, now: datetime) -> None:
    letters(db, 8, per_hour=1)
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now)
    landed = now + timedelta(minutes=5)
    settle(db, held, [Answer(g, Receipt()) for g in going], landed)
    assert claim(db, landed + timedelta(minutes=59)) is None
    again = claim(db, landed + timedelta(minutes=60, seconds=1))
    assert again is not None
    assert len(again.ids) == 1


def test_a_hand_over_that_was_surely_not_taken_gives_its_place_back(db: Database, now: datetime) -> None:
    letters(db, 2, per_hour=1)
    held = claim(db, now)
    assert held is not None
    settle(db, held, [Answer(g, Unavailable("full")) for g in intend(db, held, now)], now)
    assert claim(db, now + timedelta(minutes=1)) is not None


def test_one_mailbox_has_one_cap_over_all_campaigns(db: Database, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session)
        campaigns = [factories.campaign(session, targets=[target]) for _ in range(2)]
    for campaign in campaigns:
        letters(db, 5, campaign=campaign, per_hour=72)  # of which five minutes bear 6
    held = claim(db, now)
    assert held is not None
    assert len(held.ids) == 6


def test_nothing_leaves_outside_office_hours_in_the_offices_own_zone(db: Database, now: datetime) -> None:
    letters(db, 1, hours="08:00-18:00", days="mon-fri", zone="America/Los_Angeles")
    assert claim(db, now) is None  # four in the morning there
    assert claim(db, now + timedelta(hours=4)) is not None


def test_a_full_lane_does_not_keep_another_from_sending(db: Database, now: datetime) -> None:
    letters(db, 5, per_hour=1)
    letters(db, 5)
    held = claim(db, now)
    assert held is not None
    assert len(held.ids) == 6


@pytest.mark.parametrize("scope", ["all", "stream:letters", "campaign", "target"])
def test_c17_a_brake_stops_claims_and_what_is_claimed_already(db: Database, now: datetime, scope: str) -> None:
    ids = letters(db, 4)
    held = claim(db, now, limit=2)
    assert held is not None
    with db.begin() as session:
        row = session.get_one(Delivery, ids[0])
        full = {"campaign": f"campaign:{row.campaign_id}", "target": f"target:{row.target_id}"}.get(scope, scope)
        outbox.pull_brake(session, full, actor="user:1", reason="", now=now)
    assert intend(db, held, now) == []
    assert claim(db, now) is None
    assert states(db) == {State.QUEUED: 4}
    with db.begin() as session:
        outbox.lift_brake(session, full, actor="user:1", now=now)
    assert claim(db, now) is not None


def test_c17_a_brake_on_one_campaign_leaves_the_others_alone(db: Database, now: datetime) -> None:
    (braked,) = letters(db, 1)
    (free,) = letters(db, 1)
    with db.begin() as session:
        campaign_id = session.get_one(Delivery, braked).campaign_id
        outbox.pull_brake(session, f"campaign:{campaign_id}", actor="user:1", reason="", now=now)
    held = claim(db, now)
    assert held is not None
    assert list(held.ids) == [free]


def test_an_address_suppressed_after_the_claim_is_not_written_to(db: Database, now: datetime) -> None:
    ids = letters(db, 2)
    held = claim(db, now)
    assert held is not None
    with db.begin() as session:
        hash_ = session.get_one(Delivery, ids[0]).address_hash
        assert hash_ is not None
        suppression.suppress(session, hash_, reason="staff", now=now)
    assert intend(db, held, now) == []
    assert states(db) == {State.SUPPRESSED: 2}


def test_a_suppression_in_one_campaign_does_not_reach_another(db: Database, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session)
        here, there = (factories.campaign(session, targets=[target]) for _ in range(2))
    letters(db, 1, campaign=here)
    letters(db, 1, campaign=there)
    with db.begin() as session:
        hash_ = session.scalars(select(Delivery.address_hash)).first()
        assert hash_ is not None
        suppression.suppress(session, hash_, scope=f"campaign:{here.id}", reason="staff", now=now)
    held = claim(db, now)
    assert held is not None
    assert len(intend(db, held, now)) == 1
    assert states(db) == {State.SUPPRESSED: 1, State.SENDING: 1}


def test_what_was_cancelled_while_claimed_is_left_alone(db: Database, now: datetime) -> None:
    ids = letters(db, 2)
    held = claim(db, now)
    assert held is not None
    with db.begin() as session:
        outbox.cancel(session, str(ids[0]), reason="asked", actor="user:1", now=now)
    assert [g.delivery_id for g in intend(db, held, now)] == [ids[1]]


def test_each_answer_has_its_end(db: Database, now: datetime) -> None:
    letters(db, 4)
    held = claim(db, now)
    assert held is not None
    outcomes = [Receipt("p1"), Refused("no such user"), NoAnswer("timeout"), Unavailable("busy")]
    going = intend(db, held, now)
    settle(db, held, [Answer(g, o) for g, o in zip(going, outcomes, strict=True)], now)
    assert states(db) == {State.ACCEPTED: 1, State.REJECTED: 1, State.IN_DOUBT: 1, State.QUEUED: 1}
    with db.read() as session:
        doubt = session.scalars(select(Delivery).where(Delivery.state == State.IN_DOUBT)).one()
        later = session.scalars(select(Delivery).where(Delivery.state == State.QUEUED)).one()
        assert doubt.maybe_sent
        assert later.due_at > now
        outcomes_kept = set(session.scalars(select(Attempt.outcome)))
    assert outcomes_kept == {"accepted", "refused", "unknown", "unavailable"}


def test_a_provider_that_closes_is_not_asked_before_it_said(db: Database, now: datetime) -> None:
    letters(db, 3)
    held = claim(db, now, limit=1)
    assert held is not None
    closed = Unavailable("429", retry_after=timedelta(seconds=7), whole=True)
    settle(db, held, [Answer(g, closed) for g in intend(db, held, now)], now)
    assert claim(db, now + timedelta(seconds=6)) is None
    assert claim(db, now + timedelta(seconds=8)) is not None
    with db.read() as session:
        assert set(session.scalars(select(Delivery.tries))) == {0}, "a closed door is not the mail's fault"


def test_after_its_last_try_a_mail_is_dead(db: Database, now: datetime) -> None:
    letters(db, 1)
    for _ in range(MAX_ATTEMPTS):
        held = claim(db, now)
        assert held is not None
        settle(db, held, [Answer(g, Unavailable("busy")) for g in intend(db, held, now)], now)
        now += timedelta(hours=2)
    assert states(db) == {State.DEAD: 1}


def test_a_worker_that_went_away_is_cleaned_up_after(db: Database, now: datetime) -> None:
    letters(db, 3)
    held = claim(db, now)
    assert held is not None
    intend(db, held, now, held.ids[:1])
    with db.begin() as session:
        assert outbox.rescue(session, now=now + LEASE - timedelta(seconds=1)) == (0, 0)
        assert outbox.rescue(session, now=now + LEASE) == (2, 1)
    assert states(db) == {State.QUEUED: 2, State.IN_DOUBT: 1}


def test_a_late_receipt_still_proves_acceptance(db: Database, now: datetime) -> None:
    letters(db, 1)
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now)
    with db.begin() as session:
        outbox.rescue(session, now=now + LEASE)
    settle(db, held, [Answer(going[0], Receipt("late"))], now + LEASE * 2)
    assert states(db) == {State.ACCEPTED: 1}


def test_a_receipt_for_what_was_cancelled_is_an_anomaly(db: Database, now: datetime) -> None:
    """Cannot happen by our rules; if it does, it is said."""
    (id_,) = letters(db, 1)
    held = claim(db, now)
    assert held is not None
    with db.begin() as session:
        outbox.cancel(session, str(id_), reason="asked", actor="user:1", now=now)
    settle(db, held, [Answer(Going(id_, 1), Receipt())], now)
    with db.read() as session:
        assert session.scalars(select(Anomaly.delivery_id)).all() == [id_]
    assert states(db) == {State.CANCELLED: 1}


def test_a_doubtful_letter_waits_and_a_doubtful_confirmation_is_asked_again_once(db: Database, now: datetime) -> None:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session))
        doubt = {"state": State.IN_DOUBT, "maybe_sent": True, "doubt_since": now}
        letter = factories.delivery(session, signature, **doubt)
        ask = factories.delivery(session, signature, mail_class=MailClass.CONFIRMATION, purpose="confirm", **doubt)
    for moment, expected in ((16, State.QUEUED), (33, State.GIVEN_UP)):
        with db.begin() as session:
            outbox.resolve_doubts(session, now=now + timedelta(minutes=moment))
            assert session.get_one(Delivery, ask.id).state is expected
            assert session.get_one(Delivery, letter.id).state is State.IN_DOUBT
            with Books(session, now=now) as books:  # and again there is no answer
                again = books.move([ask.id], State.QUEUED, State.CLAIMED, claim_token="t", claimed_until=now)
                books.move(again, State.CLAIMED, State.SENDING)
                books.move(again, State.SENDING, State.IN_DOUBT, doubt_since=now + timedelta(minutes=17))


def test_a_letter_without_a_contact_waits_and_leaves_once_there_is_one(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=1)
        (target,) = factories.targets_of(session, campaign)
        session.scalars(select(Contact)).one().ended_at = now
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        made = outbox.enqueue_letters(session, signature, {target.id: "h"}, keys=factories.KEYS, now=now)
        assert made == outbox.Queued(queued=0, held=1)
    assert claim(db, now) is None
    with db.begin() as session:
        targets.set_contact(
            session,
            targets.find(session, str(target.id)),
            email="desk@example.org",
            keys=factories.KEYS,
            settings=settings,
            now=now,
            actor="cli",
        )
    assert claim(db, now) is not None


def test_enqueueing_twice_makes_one_letter_for_each_target(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=2)
        hashes = {t.id: "h" for t in factories.targets_of(session, campaign)}
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        first = outbox.enqueue_letters(session, signature, hashes, keys=factories.KEYS, now=now)
        again = outbox.enqueue_letters(session, signature, hashes, keys=factories.KEYS, now=now)
    assert (first.queued, again.queued) == (2, 0)


def test_who_signs_again_after_withdrawing_sends_no_second_letter(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=1)
        (target,) = factories.targets_of(session, campaign)
        first = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        factories.delivery(session, first, target, state=State.ACCEPTED, attempts=1)
        first.state = SignatureState.WITHDRAWN
        session.flush()
        again = factories.signature(session, campaign, state=SignatureState.CONFIRMED, by=first.supporter)
        made = outbox.enqueue_letters(session, again, {target.id: "h"}, keys=factories.KEYS, now=now)
    assert made == outbox.Queued(0, 0)


def test_staff_hold_release_cancel_and_resend(db: Database, now: datetime) -> None:
    (id_,) = letters(db, 1)
    with db.begin() as session:
        outbox.hold(session, str(id_), reason="looks odd", actor="user:1", now=now)
        assert outbox.release(session, str(id_), actor="user:1", now=now).state is State.QUEUED
        assert outbox.cancel(session, str(id_), reason="", actor="user:1", now=now).state is State.CANCELLED
        with pytest.raises(NotNow):
            outbox.resend(session, str(id_), actor="user:1", now=now)


def test_the_books_stay_balanced_through_all_of_it(db: Database, settings: Settings, now: datetime) -> None:
    letters(db, 6, per_hour=61)  # of which five minutes bear 5
    held = claim(db, now)
    assert held is not None
    going = intend(db, held, now, held.ids[:2])
    settle(db, held, [Answer(going[0], Refused("no")), Answer(going[1], NoAnswer("?"))], now)
    with db.begin() as session:
        outbox.rescue(session, now=now + LEASE)
    with db.read() as session:
        result = audit.audit(session, settings)
        moves = session.scalar(select(func.count()).select_from(LogEntry))
    assert result.balanced, result.problems
    assert (result.total, result.states["queued"], result.states["in_doubt"]) == (6, 4, 1)
    assert moves is not None
    assert moves > 10
