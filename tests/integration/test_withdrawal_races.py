"""Who withdraws while something else happens to their letters: what comes first is seen by what comes second."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox, signing, targets
from outreach.domain.deliveries import MailClass, State
from outreach.errors import NotNow
from outreach.models import Campaign, Database, Delivery, Signature, Target
from outreach.settings import Settings
from tests.factories import KEYS
from tests.integration.acts import confirm, count, secret, sign
from tests.integration.races import behind

LETTERS = Delivery.mail_class == MailClass.LETTER


@pytest.fixture
def receipt(db: Database, settings: Settings, campaign: Campaign, now: datetime) -> str:
    """Jane has confirmed, and a worker has taken her letters into its hands; the secret of her own page."""
    token = confirm(db, secret(settings, sign(db, settings, now)), now).receipt_token
    with db.begin() as session, outbox.Books(session, now=now) as books:
        books.move_where(LETTERS & (Delivery.state == State.QUEUED), State.QUEUED, State.CLAIMED, claim_token="a-claim")
    return token


def states(db: Database) -> set[State]:
    with db.read() as session:
        return set(session.scalars(select(Delivery.state).where(LETTERS)))


def test_letters_that_a_worker_gives_back_meanwhile_are_called_off(db: Database, now: datetime, receipt: str) -> None:
    def give_back(session: Session) -> None:
        with outbox.Books(session, now=now) as books:
            books.move_where(LETTERS & (Delivery.state == State.CLAIMED), State.CLAIMED, State.QUEUED)

    withdrawn = behind(db, give_back, lambda session: signing.withdraw(session, receipt, keys=KEYS, now=now))

    assert withdrawn == signing.Withdrawn(cancelled=2, too_late=0)
    assert states(db) == {State.CANCELLED}


def test_letters_that_leave_meanwhile_are_told_of_as_too_late(db: Database, now: datetime, receipt: str) -> None:
    def begin(session: Session) -> None:
        with outbox.Books(session, now=now) as books:
            books.move_where(LETTERS & (Delivery.state == State.CLAIMED), State.CLAIMED, State.SENDING)

    withdrawn = behind(db, begin, lambda session: signing.withdraw(session, receipt, keys=KEYS, now=now))

    assert withdrawn == signing.Withdrawn(cancelled=0, too_late=2)
    assert states(db) == {State.SENDING}


def test_letters_whose_target_gets_another_contact_meanwhile_are_called_off(
    db: Database, settings: Settings, now: datetime, receipt: str
) -> None:
    def move(session: Session) -> None:
        for target in session.scalars(select(Target).order_by(Target.id)):
            address = f"new{target.id}@example.org"
            targets.set_contact(session, target, email=address, keys=KEYS, settings=settings, now=now, actor="test")

    behind(db, move, lambda session: signing.withdraw(session, receipt, keys=KEYS, now=now))

    assert states(db) == {State.CANCELLED}


def test_withdrawing_twice_at_once_calls_off_once(db: Database, now: datetime, receipt: str) -> None:
    def withdraw(session: Session) -> signing.Withdrawn:
        return signing.withdraw(session, receipt, keys=KEYS, now=now)

    assert behind(db, withdraw, withdraw) == signing.Withdrawn(cancelled=2, too_late=0)


def test_a_link_pressed_again_while_its_signature_is_withdrawn_confirms_nothing(
    db: Database, settings: Settings, now: datetime, receipt: str
) -> None:
    with db.read() as session:
        link = secret(settings, session.scalars(select(Signature)).one())

    with pytest.raises(NotNow, match="withdrawn"):
        behind(
            db,
            lambda session: signing.withdraw(session, receipt, keys=KEYS, now=now),
            lambda session: signing.confirm(session, link, keys=KEYS, now=now),
        )
    assert count(db, Delivery, LETTERS) == 2
