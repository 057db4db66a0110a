"""In which order applying reports takes its locks: the counters last, as every other worker does."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from outreach import audit, feedback
from outreach.domain.deliveries import State
from outreach.domain.events import Cause, Event, EventKind
from outreach.models import Campaign, Database, Delivery, SignatureState
from outreach.outbox import Books, books
from outreach.settings import Settings
from tests import factories
from tests.integration.races import behind
from tests.integration.reports import sent


def letters(session: Session, campaign: Campaign) -> list[tuple[str, int]]:
    """For each office of the campaign, one letter that left (its ref) and one that waits (its id)."""
    made = []
    for target in factories.targets_of(session, campaign):
        gone, waiting = (
            factories.delivery(
                session,
                factories.signature(session, campaign, state=SignatureState.CONFIRMED),
                target,
                state=state,
            )
            for state in (State.ACCEPTED, State.QUEUED)
        )
        made.append((sent(session, gone).ref, waiting.id))
    return made


def test_bounces_of_two_offices_and_a_worker_with_a_letter_of_one_wait_in_no_ring(
    db: Database, settings: Settings, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker holds a letter and then wants the counters; the reports want that letter before any counter."""
    monkeypatch.setattr(books, "_SHARDS", 1)  # as two workers that share one by chance
    with db.begin() as session:
        made = letters(session, factories.campaign(session, targets=2, now=now))
    (_, _), (_, wanted) = made

    def work(session: Session) -> None:
        held = Books(session, now=now)
        assert held.move([wanted], State.QUEUED, State.HELD, reason="staff") == [wanted]
        event.listen(session, "before_commit", lambda _: held.__exit__(None, None, None), once=True)

    def apply(session: Session) -> int:
        bounces = [
            Event(f"e-{ref}", EventKind.BOUNCED, now, ref, 1, "test", cause=Cause.BAD_ADDRESS) for ref, _ in made
        ]
        return feedback.apply(session, bounces, env="test", now=now).new

    assert behind(db, work, apply) == 2
    with db.read() as session:
        assert {session.get_one(Delivery, id_).state for _, id_ in made} == {State.HELD}
        kinds = {problem.kind for problem in audit.audit(session, settings).problems}
        assert "counter" not in kinds
        reasons = session.scalars(select(Delivery.reason).where(Delivery.state == State.HELD).order_by(Delivery.id))
        assert list(reasons) == ["no_contact", "staff"]
