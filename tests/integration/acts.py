"""What a signer does, as tests do it: sign, look, confirm, withdraw; and what was written down."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest
from sqlalchemy import func, select

from outreach import campaigns, signing
from outreach.domain.deliveries import MailClass
from outreach.models import Campaign, Consent, Database, Delivery, LetterVersion, Signature, Supporter, Token
from outreach.settings import Settings
from outreach.signing import SignForm
from tests import factories
from tests.factories import KEYS

JANE = SignForm("Jane Doe", "jane@example.org", city="Springfield", own_words="My rent doubled.")


def sign(
    db: Database, settings: Settings, now: datetime, form: SignForm = JANE, slug: str = "rents", **changes: object
) -> Signature:
    with db.begin() as session:
        signing.sign(session, slug, dataclasses.replace(form, **changes), keys=KEYS, settings=settings, now=now)  # type: ignore[arg-type]
    return newest(db)


def newest(db: Database) -> Signature:
    with db.read() as session:
        return session.scalars(select(Signature).order_by(Signature.id.desc()).limit(1)).one()


def secret(settings: Settings, signature: Signature) -> str:
    return signing.confirm_url(settings, KEYS, signature).rpartition("/")[2]


def confirm(db: Database, token: str, now: datetime) -> signing.Confirmed:
    with db.begin() as session:
        return signing.confirm(session, token, keys=KEYS, now=now)


def withdraw(db: Database, token: str, now: datetime) -> signing.Withdrawn:
    with db.begin() as session:
        return signing.withdraw(session, token, keys=KEYS, now=now)


def look(db: Database, token: str, now: datetime) -> signing.Pending:
    with db.read() as session:
        return signing.look(session, token, keys=KEYS, now=now)


def count(db: Database, table: type, *conditions: object) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0  # type: ignore[arg-type]


def confirmations(db: Database) -> int:
    return count(db, Delivery, Delivery.mail_class == MailClass.CONFIRMATION)


def letters(db: Database) -> int:
    return count(db, Delivery, Delivery.mail_class == MailClass.LETTER)


def everything(db: Database) -> list[list[tuple[object, ...]]]:
    """All that signing writes, to see that nothing was written."""
    with db.read() as session:
        return [
            sorted((tuple(row) for row in session.execute(select(*table.__table__.columns))), key=repr)
            for table in (Supporter, Signature, Token, Delivery, Consent)
        ]


def rewrite(db: Database, campaign: Campaign, body: str, now: datetime) -> LetterVersion:
    """An organizer gives the campaign's letter another body."""
    with db.begin() as session:
        campaign = session.get_one(Campaign, campaign.id)
        last = campaigns.letter_of(session, campaign)
        return campaigns.new_version(
            session, campaign, last.subject, last.header, body, last.footer, now=now, actor="test"
        )


@pytest.fixture
def campaign(db: Database) -> Campaign:
    with db.begin() as session:
        return factories.campaign(session, slug="rents", targets=2)


@pytest.fixture
def signed(db: Database, settings: Settings, campaign: Campaign, now: datetime) -> Signature:
    """Jane has signed; her link is in the mail."""
    return sign(db, settings, now)
