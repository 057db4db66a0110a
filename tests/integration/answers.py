"""Jane's letter, the alias that answers to it come to, and what is there after they came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from outreach import inbound
from outreach.domain.deliveries import MailClass, State
from outreach.inbound import Kind
from outreach.keys import hash_of
from outreach.models import Database, Delivery, InboundTally, Reply, SignatureState
from outreach.settings import Settings
from tests import factories
from tests.factories import KEYS


@pytest.fixture
def letter(db: Database, now: datetime) -> Delivery:
    """Jane's letter, which left an hour ago."""
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", targets=1)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        delivery = factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=now - timedelta(hours=1))
        delivery.reply_hash = hash_of(KEYS.alias(delivery.ref))
        factories.token(session, signature, purpose="receipt", secret="receipt-of-jane", valid_for=None)
        return delivery


@pytest.fixture
def alias(letter: Delivery, settings: Settings) -> str:
    return f"{KEYS.alias(letter.ref)}@{settings.reply_domain}"


@pytest.fixture
def take(db: Database, settings: Settings, now: datetime) -> Callable[..., Kind]:
    def take(octets: bytes, *to: str) -> Kind:
        with db.begin() as session:
            return inbound.take(session, octets, to=to, settings=settings, keys=KEYS, now=now)

    return take


def kept(db: Database) -> list[Reply]:
    with db.read() as session:
        return list(session.scalars(select(Reply).order_by(Reply.id)))


def tallied(db: Database) -> dict[str, int]:
    with db.read() as session:
        return dict(session.execute(select(InboundTally.kind, InboundTally.count)).all())


def notices(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Delivery.purpose).where(Delivery.mail_class == MailClass.NOTICE)))
