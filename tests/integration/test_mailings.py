"""Mailings as they leave: to whom, with which words, and to nobody who said no. Numbers are the field rules'."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from outreach import mailings, stopping
from outreach.domain.consents import Purpose
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.errors import BadInput, BadTemplate
from outreach.models import (
    Consent,
    Database,
    Delivery,
    Mailing,
    Signature,
    SignatureState,
    Supporter,
    WaveKind,
    WaveState,
)
from outreach.sending import Desk, Hands, send_due
from outreach.settings import Settings
from outreach.transports.memory import MemoryTransport
from tests import factories

BODY = "Hello {{ signer.first_name }},\n\nthe council votes on {{ campaign.title }} on Tuesday."


def mailing_to(db: Database, *names: str) -> list[str]:
    """A mailing wave that is being sent to these signers, who asked for updates; the deliveries' refs."""
    now = db.now() - timedelta(minutes=1)
    with db.begin() as session:
        campaign = factories.campaign(session, now=now)
        mailing = mailings.write(session, campaign, "News for {{ signer.name }}", BODY, now=now, actor="test")
        wave = factories.wave(session, campaign, kind=WaveKind.MAILING, state=WaveState.SENDING, now=now)
        wave.mailing_id = mailing.id
        session.flush()
        refs = []
        for name in names:
            signature = factories.signature(session, campaign, name=name, state=SignatureState.CONFIRMED, now=now)
            session.add(
                Consent(
                    supporter_id=signature.supporter_id,
                    campaign_id=campaign.id,
                    purpose=Purpose.UPDATES,
                    given=True,
                    wording="Fair Homes Union may keep me up to date.",
                    source="web",
                    at=now,
                )
            )
            delivery = factories.delivery(
                session,
                signature,
                mail_class=MailClass.MAILING,
                now=now,
                stream=Stream.NEWS,
                wave_id=wave.id,
                lane_id=factories.stream_lane(session, Stream.NEWS, now=now).id,
            )
            delivery.signature_id = None
            refs.append(delivery.ref)
    return refs


def send(db: Database, settings: Settings, transport: MemoryTransport) -> int:
    hands = Hands(transport, width=4)
    try:
        desk = Desk(replace(settings, postal_address="1 Main Street, Springfield"), factories.KEYS)
        return send_due(db, hands, desk, stream=Stream.NEWS, settings=settings)
    finally:
        hands.close()


def states(db: Database) -> list[State]:
    with db.read() as session:
        mails = select(Delivery.state).where(Delivery.mail_class == MailClass.MAILING).order_by(Delivery.id)
        return list(session.scalars(mails))


def test_each_reader_gets_the_mailing_with_their_own_name_and_their_own_way_out(
    db: Database, settings: Settings
) -> None:
    refs = mailing_to(db, "Jane Doe", "Bo Li")
    transport = MemoryTransport()

    assert send(db, settings, transport) == 2
    sent = {mail.delivery: mail for mail in transport.sent}
    assert [sent[ref].subject for ref in refs] == ["News for Jane Doe", "News for Bo Li"]
    assert "Hello Bo,\n" in sent[refs[1]].text
    tokens = {re.search(r"/u/([a-z2-7]{40})", mail.text)[1] for mail in sent.values()}  # type: ignore[index]
    assert len(tokens) == 2
    for token in tokens:
        with db.read() as session:
            assert stopping.reader_of(session, token, keys=factories.KEYS)
    assert all(mail.straight for mail in sent.values())


def a_withdrawal(db: Database) -> None:
    with db.begin() as session:
        session.scalars(select(Signature).order_by(Signature.id.desc())).first().state = SignatureState.WITHDRAWN  # type: ignore[union-attr]


def a_stop(much: stopping.Much) -> Callable[[Database], None]:
    def stop(db: Database) -> None:
        with db.begin() as session:
            reader = session.scalars(select(Supporter).order_by(Supporter.id.desc())).first()
            mail = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
            assert reader is not None
            assert mail is not None
            token = factories.KEYS.stop_token(reader.ref, mail.campaign_id)
            stopping.stop(session, token, keys=factories.KEYS, much=much, source="link", now=db.now())

    return stop


@pytest.mark.parametrize(
    ("no", "end"),
    [
        (a_withdrawal, State.CANCELLED),
        *((a_stop(much), State.SUPPRESSED) for much in stopping.Much),
    ],
)
def test_b9_a_planned_mail_does_not_reach_a_reader_who_said_no_since(
    db: Database, settings: Settings, no: Callable[[Database], None], end: State
) -> None:
    mailing_to(db, "Jane Doe", "Bo Li")
    no(db)
    transport = MemoryTransport()

    assert send(db, settings, transport) == 1
    assert [mail.to.name for mail in transport.sent] == ["Jane Doe"]
    assert states(db) == [State.ACCEPTED, end]


def test_c18_what_a_mailing_may_not_say_is_refused_when_it_is_saved(db: Database) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        with pytest.raises(BadTemplate, match="There is no merge field"):
            mailings.write(session, campaign, "News", "{{ signer.nme }}", now=factories.NOON, actor="test")
        with pytest.raises(BadInput, match="nothing signers agree to"):
            mailings.write(session, campaign, "News", BODY, purpose="partners", now=factories.NOON, actor="test")
        assert session.scalars(select(Mailing)).all() == []
