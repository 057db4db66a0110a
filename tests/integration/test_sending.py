"""The sending loop on both databases, handing over to the memory transport."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from outreach import audit, outbox
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.messages import Message, letter_hash
from outreach.errors import OutOfReach
from outreach.models import Attempt, Campaign, Database, Delivery, LetterVersion, ProviderState, Signature, Target
from outreach.sending import Desk, Hands, rounds, send_due
from outreach.settings import Settings
from outreach.signing import SignForm, confirm, look, sign
from outreach.signing.links import confirm_url
from outreach.transports.base import NoAnswer, Receipt, Unavailable
from outreach.transports.memory import MemoryTransport
from tests import factories
from tests.statements import statements


def campaign_with(db: Database, signers: int, settings: Settings, *, targets: int = 1) -> Campaign:
    """A campaign whose signers have confirmed, by the engine's own verbs: their letters wait in the outbox."""
    now = db.now() - timedelta(minutes=1)
    with db.begin() as session:
        campaign = factories.campaign(session, targets=targets, now=now)
    for n in range(signers):
        with db.begin() as session:
            form = SignForm(name="Jane Doe", email=f"jane-{n}@example.org", own_words=f"These are words no. {n}.")
            sign(session, campaign.slug, form, keys=factories.KEYS, settings=settings, now=now)
            signature = session.scalars(select(Signature).order_by(Signature.id.desc())).first()
            assert signature is not None
            token = confirm_url(settings, factories.KEYS, signature).rpartition("/")[2]
            assert len(look(session, token, keys=factories.KEYS, now=now).letters) == targets
            confirm(session, token, keys=factories.KEYS, now=now)
    return campaign


def send(db: Database, settings: Settings, transport: MemoryTransport, stream: Stream = Stream.LETTERS) -> int:
    hands = Hands(transport, width=4)
    try:
        return send_due(db, hands, Desk(settings, factories.KEYS), stream=stream, settings=settings)
    finally:
        hands.close()


def states(db: Database, mail_class: MailClass = MailClass.LETTER) -> dict[State, int]:
    with db.read() as session:
        return dict(
            session.execute(
                select(Delivery.state, func.count()).where(Delivery.mail_class == mail_class).group_by(Delivery.state)
            ).all()
        )


def test_every_target_gets_exactly_what_the_signer_confirmed(db: Database, settings: Settings) -> None:
    campaign_with(db, 5, settings, targets=2)
    transport = MemoryTransport()
    assert send(db, settings, transport) == 10
    assert states(db) == {State.ACCEPTED: 10}
    with db.read() as session:
        kept = dict(session.execute(select(Delivery.ref, Delivery.content_hash)).all())
        result = audit.audit(session, replace(settings, transport="smtp"))
    for mail in transport.sent:
        assert letter_hash(mail.subject, mail.text) == kept[mail.delivery]
    assert result.balanced, result.problems


def test_nothing_is_due_says_minus_one(db: Database, settings: Settings) -> None:
    assert send(db, settings, MemoryTransport()) == -1


def test_a_batch_is_asked_for_nothing_that_cannot_matter_to_it(db: Database, settings: Settings) -> None:
    campaign_with(db, 2, settings)
    campaign_with(db, 2, settings)
    with statements(db) as said:
        assert send(db, settings, MemoryTransport()) == 4
    assert not [words for words in said if "campaign_texts" in words or "addressings" in words]  # of notices alone
    assert sum("FROM demands" in words for words in said) == 1
    assert not [words for words in said if "1 != 1" in words or "1!=1" in words]  # about nobody


def test_confirmations_and_receipts_leave_by_their_own_stream(db: Database, settings: Settings) -> None:
    campaign_with(db, 3, settings)
    transport = MemoryTransport()
    send(db, settings, transport, Stream.ACT)
    assert {mail.stream for mail in transport.sent} == {Stream.ACT}
    assert states(db, MailClass.NOTICE) == {State.ACCEPTED: 3}


def test_the_attempt_is_committed_before_the_mail_is_offered(db: Database, settings: Settings) -> None:
    campaign_with(db, 1, settings)
    seen: list[tuple[State, str | None]] = []

    def look_from_outside(message: Message) -> None:
        with db.read() as session:
            row = session.scalars(select(Delivery).where(Delivery.ref == message.delivery)).one()
            attempt = session.get_one(Attempt, (row.id, message.attempt))
            seen.append((row.state, attempt.outcome))

    class Watched(MemoryTransport):
        def send(self, message: Message) -> Receipt:
            look_from_outside(message)
            return super().send(message)

    send(db, settings, Watched())
    assert seen == [(State.SENDING, None)]


def test_fault_f39_a_poisoned_version_ends_its_letters_and_no_others(db: Database, settings: Settings) -> None:
    poisoned = campaign_with(db, 2, settings)
    campaign_with(db, 2, settings)
    with db.begin() as session:
        version = session.scalars(select(LetterVersion).where(LetterVersion.campaign_id == poisoned.id)).one()
        version.body = "{{ ''.__class__.__mro__ }}"  # forced past the check, straight into the table
    transport = MemoryTransport()
    assert send(db, settings, transport) == 2
    assert states(db) == {State.DEAD: 2, State.ACCEPTED: 2}


def test_a_letter_whose_target_changed_is_held_until_somebody_looks(db: Database, settings: Settings) -> None:
    campaign = campaign_with(db, 1, settings)
    with db.begin() as session:
        (target,) = factories.targets_of(session, campaign)
        session.get_one(Target, target.id).salutation = "Dear Somebody Else"
        version = session.scalars(select(LetterVersion)).one()
        assert "target.salutation" in version.header
    transport = MemoryTransport()
    send(db, settings, transport)
    assert transport.sent == []
    assert states(db) == {State.HELD: 1}


def test_a_transport_that_breaks_leaves_doubt_and_not_a_second_mail(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    settings = with_settings(handovers="2")
    campaign_with(db, 2, settings)

    class Broken(MemoryTransport):
        def send(self, message: Message) -> Receipt:
            raise RuntimeError("jane-0@example.org")

    send(db, settings, Broken())
    assert states(db) == {State.IN_DOUBT: 2}
    assert send(db, settings, MemoryTransport()) == -1
    with db.read() as session:
        assert "example.org" not in " ".join(session.scalars(select(Attempt.detail)))


def test_no_answer_is_never_sent_again_by_itself(db: Database, settings: Settings) -> None:
    campaign_with(db, 1, settings)
    assert send(db, settings, MemoryTransport([NoAnswer("timeout")])) == 0
    assert states(db) == {State.IN_DOUBT: 1}
    assert send(db, settings, MemoryTransport()) == -1


def test_a_closed_provider_gets_nothing_more_and_everything_waits(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    settings = with_settings(handovers="2")
    campaign_with(db, 6, settings)
    transport = MemoryTransport([Unavailable("429", retry_after=timedelta(minutes=5), whole=True)] * 2)
    send(db, settings, transport)
    assert 1 <= len(transport.offered) <= 2, "at most what was in the air"
    assert states(db) == {State.QUEUED: 6}
    with db.read() as session:
        assert set(session.scalars(select(Delivery.tries))) == {0}


def test_a_mail_that_cannot_be_written_leaves_the_try_at_a_closed_door_to_the_next(
    db: Database, settings: Settings
) -> None:
    poisoned = campaign_with(db, 1, settings)
    campaign_with(db, 3, settings)
    with db.begin() as session:
        version = session.scalars(select(LetterVersion).where(LetterVersion.campaign_id == poisoned.id)).one()
        version.body = "{{ ''.__class__.__mro__ }}"
        session.add(ProviderState(transport="memory", strikes=1, closed_until=db.now(), changed_at=db.now()))
        session.execute(
            update(Delivery).where(Delivery.campaign_id == poisoned.id).values(due_at=db.now() - timedelta(hours=1))
        )
    send(db, settings, MemoryTransport())
    send(db, settings, MemoryTransport())
    assert states(db) == {State.DEAD: 1, State.ACCEPTED: 3}


def test_a_brake_pulled_while_sending_stops_after_the_round_in_the_air(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    settings = with_settings(handovers="2")
    campaign_with(db, 6, settings)

    class Braking(MemoryTransport):
        def send(self, message: Message) -> Receipt:
            with db.begin() as session:
                outbox.pull_brake(session, "all", actor="user:1", reason="stop", now=db.now())
            return super().send(message)

    assert send(db, settings, Braking()) == 2
    assert states(db) == {State.ACCEPTED: 2, State.QUEUED: 4}


def test_answers_are_kept_while_the_database_is_away(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_with(db, 2, settings)
    monkeypatch.setattr("outreach.sending.rounds._RETRY_EVERY", 0)
    away = iter([OutOfReach(), OutOfReach()])
    honest = rounds._turn

    def turn(*args: Any, **more: Any) -> Any:
        answers = args[4]
        if answers and (error := next(away, None)):
            raise error
        return honest(*args, **more)

    monkeypatch.setattr("outreach.sending.rounds._turn", turn)
    assert send(db, settings, MemoryTransport()) == 2
    assert next(away, None) is None, "both failures were met"
    assert states(db) == {State.ACCEPTED: 2}


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has_not_begun(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    settings = with_settings(handovers="2")
    campaign_with(db, 6, settings)
    transport = MemoryTransport()
    hands = Hands(transport, width=2)
    desk = Desk(settings, factories.KEYS)
    sent = send_due(db, hands, desk, stream=Stream.LETTERS, settings=settings, goes_on=lambda: len(transport.sent) < 2)
    hands.close()
    assert sent == 2
    assert states(db) == {State.ACCEPTED: 2, State.QUEUED: 4}


def test_a_claim_that_comes_back_full_is_told_once_and_a_smaller_one_is_not(
    db: Database, with_settings: Callable[..., Settings]
) -> None:
    settings = with_settings(batch="2")
    campaign_with(db, 5, settings)
    hands, told = Hands(MemoryTransport(), width=2), list[str]()
    desk = Desk(settings, factories.KEYS)

    def stretch() -> int:
        return send_due(
            db, hands, desk, stream=Stream.LETTERS, settings=settings, plenty=lambda: told.append("there is more")
        )

    assert stretch() == 5
    assert told == ["there is more"]
    assert stretch() == -1
    hands.close()
    assert told == ["there is more"], "an empty outbox calls for nobody"
