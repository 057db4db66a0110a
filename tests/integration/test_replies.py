"""Answers on both databases: whose they are, and what is passed on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select

from outreach import people, replies
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.errors import NotNow
from outreach.inbound import Kind
from outreach.keys import hash_of
from outreach.models import Database, Delivery, Reply, Signature, SignatureState
from outreach.settings import Settings
from tests import factories
from tests.factories import KEYS
from tests.fakes.inbound import answer
from tests.integration.answers import kept, notices, tallied

pytestmark = pytest.mark.usefixtures("rung")


def test_an_answer_to_a_letter_that_never_left_or_to_an_erased_signer_is_dropped(
    db: Database, settings: Settings, now: datetime, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        session.get_one(Delivery, letter.id).state = State.QUEUED
    assert take(answer(alias), alias) is Kind.DROPPED
    with db.begin() as session:
        session.get_one(Delivery, letter.id).state = State.ACCEPTED
        who = people.Person(factories.hash_address("nobody@example.org"), letter.supporter_id)
        people.erase(session, who, actor="test", now=now)
    assert take(answer(alias), alias) is Kind.DROPPED
    assert tallied(db) == {"never_left": 1, "erased_signer": 1}
    assert kept(db) == []


def test_where_being_named_may_harm_the_letter_is_not_kept_below_its_answer(
    db: Database, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        session.get_one(Signature, letter.signature_id).high_risk = True
    take(answer(alias), alias)
    with db.read() as session:
        assert session.execute(select(Reply.text, Reply.quoted, Reply.raw)).one() == (
            "Yes, we will build them.\n\nAlex Rivera",
            "",
            None,
        )


def test_one_mail_to_two_letters_is_an_answer_to_both(
    db: Database, settings: Settings, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    with db.begin() as session:
        other = factories.signature(session, session.merge(factories.campaign(session)), state=SignatureState.CONFIRMED)
        second = factories.delivery(session, other, state=State.ACCEPTED, accepted_at=letter.accepted_at)
        second.reply_hash = hash_of(KEYS.alias(second.ref))
    both = f"{alias}, {KEYS.alias(second.ref)}@{settings.reply_domain}"
    assert take(answer(both)) is Kind.REPLY
    assert {reply.delivery_id for reply in kept(db)} == {letter.id, second.id}
    assert len(notices(db)) == 2


def test_what_was_taken_for_a_machines_can_be_passed_on_once(
    db: Database, settings: Settings, now: datetime, letter: Delivery, alias: str, take: Callable[..., Kind]
) -> None:
    assert take(answer(alias, "Yes.", Precedence="bulk"), alias) is Kind.KEPT
    assert notices(db) == []
    for expected in (None, NotNow):
        with db.begin() as session:
            (reply,) = session.scalars(select(Reply))
            if expected:
                with pytest.raises(expected):
                    replies.pass_on(session, reply, settings=settings, now=now)
            else:
                replies.pass_on(session, reply, settings=settings, now=now)
    assert len(notices(db)) == 1
    with db.read() as session:
        assert session.get_one(Delivery, letter.id).replied_at == now


def test_the_stream_of_a_forward_is_that_of_notices(db: Database, alias: str, take: Callable[..., Kind]) -> None:
    take(answer(alias), alias)
    with db.read() as session:
        forward = session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.NOTICE)).one()
    assert (forward.stream, forward.state) == (Stream.ACT, State.QUEUED)
