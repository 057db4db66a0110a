"""The signer's own page: what became of each letter, and the way back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import outbox, signing
from outreach.domain.deliveries import MailClass, State
from outreach.errors import NotNow
from outreach.models import (
    Consent,
    Database,
    Delivery,
    Signature,
    SignatureState,
)
from outreach.settings import Settings
from tests import factories
from tests.factories import KEYS
from tests.integration.acts import (
    confirm,
    count,
    everything,
    look,
    secret,
    sign,
    withdraw,
)


def test_the_receipt_shows_each_letter_and_what_became_of_it(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    shown = look(db, secret(settings, signed), now).letters
    token = confirm(db, secret(settings, signed), now).receipt_token

    with db.read() as session:
        found = signing.receipt(session, token, keys=KEYS, now=now + timedelta(days=400))

    assert token == signing.receipt_url(settings, KEYS, signed).rpartition("/")[2]
    assert (found.campaign_slug, found.name, found.state) == ("rents", "Jane Doe", SignatureState.CONFIRMED)
    assert found.can_withdraw
    assert [(s.target_label, s.subject, s.text) for s in found.letters] == [
        (s.target_label, s.subject, s.text) for s in shown
    ]
    assert {letter.state for letter in found.letters} == {State.QUEUED}


def test_withdrawing_calls_off_what_has_not_left(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    token = confirm(db, secret(settings, signed), now).receipt_token
    with db.begin() as session:
        _pretend_sent(session, signed)

    first = withdraw(db, token, now)
    before = everything(db)
    second = withdraw(db, token, now + timedelta(hours=1))

    assert first == second == signing.Withdrawn(cancelled=1, too_late=1)
    assert everything(db) == before
    assert count(db, Delivery, Delivery.state == State.QUEUED) == 0
    assert look(db, secret(settings, signed), now).state == "withdrawn"
    with db.read() as session:
        entries = session.execute(select(Consent.purpose, Consent.given, Consent.source).order_by(Consent.id)).all()
        found = signing.receipt(session, token, keys=KEYS, now=now)
    assert [tuple(entry) for entry in entries] == [("deliver_letter", True, "web"), ("deliver_letter", False, "link")]
    assert (found.state, found.can_withdraw) == (SignatureState.WITHDRAWN, False)
    with pytest.raises(NotNow):
        confirm(db, secret(settings, signed), now)


def test_signing_again_after_withdrawing_writes_nobody_twice(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    token = confirm(db, secret(settings, signed), now).receipt_token
    with db.begin() as session:
        _pretend_sent(session, signed)
    withdraw(db, token, now)

    second = sign(db, settings, now + timedelta(days=1))
    confirmed = confirm(db, secret(settings, second), now + timedelta(days=1))

    assert second.id != signed.id
    assert (confirmed.queued, confirmed.held) == (1, 0)
    assert look(db, secret(settings, signed), now).state == "withdrawn"


def _pretend_sent(session: Session, signature: Signature) -> None:
    """The first letter has left."""
    first = session.scalars(
        select(Delivery)
        .where(Delivery.signature_id == signature.id, Delivery.mail_class == MailClass.LETTER)
        .order_by(Delivery.id)
    ).first()
    assert first is not None
    with outbox.Books(session, now=factories.NOON) as books:
        books.move([first.id], State.QUEUED, State.ACCEPTED, accepted_at=factories.NOON)
