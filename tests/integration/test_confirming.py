"""The link in the mail: looking changes nothing, one press of the button makes it count."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from outreach import campaigns, signing
from outreach.domain.deliveries import MailClass
from outreach.domain.messages import letter_hash
from outreach.errors import NotFound, NotNow, TextChanged
from outreach.models import (
    Campaign,
    Database,
    Delivery,
    LetterVersion,
    Signature,
    SignatureState,
    Target,
)
from outreach.settings import Settings
from tests import factories
from tests.factories import KEYS
from tests.integration.acts import (
    confirm,
    everything,
    letters,
    look,
    rewrite,
    secret,
    sign,
)
from tests.integration.races import behind


def test_looking_shows_every_letter_and_changes_nothing(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    before = everything(db)

    for _ in range(20):
        pending = look(db, secret(settings, signed), now)

    assert everything(db) == before
    assert (pending.state, pending.campaign_slug, pending.signer_name) == ("open", "rents", "Jane Doe")
    assert len(pending.letters) == 2
    for letter in pending.letters:
        assert letter.target_label.startswith("Secretary Alex Moreno")
        assert "My rent doubled." in letter.text
        assert "Jane Doe" in letter.text


def test_confirming_queues_one_letter_per_target_with_the_hash_of_what_was_shown(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    shown = look(db, secret(settings, signed), now).letters

    confirmed = confirm(db, secret(settings, signed), now)

    assert (confirmed.queued, confirmed.held, confirmed.again) == (2, 0, False)
    with db.read() as session:
        queued = session.scalars(select(Delivery).where(Delivery.mail_class == MailClass.LETTER)).all()
        assert {(d.target_id, d.content_hash) for d in queued} == {(s.target_id, s.content_hash) for s in shown}
        signature = session.get_one(Signature, signed.id)
        assert (signature.state, signature.confirmed_at, signature.evidence) == (SignatureState.CONFIRMED, now, "link")
        receipts = session.scalars(select(Delivery.purpose).where(Delivery.mail_class == MailClass.NOTICE)).all()
        assert receipts == ["receipt"]


def test_confirming_twice_gives_the_same_page_and_nothing_new(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    first = confirm(db, secret(settings, signed), now)
    before = everything(db)

    second = confirm(db, secret(settings, signed), now + timedelta(hours=1))

    assert everything(db) == before
    assert second == dataclasses.replace(first, again=True)


def test_two_presses_at_once_make_one_set_of_letters(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    gate = Barrier(5)

    def press(_: int) -> bool:
        gate.wait(20)
        return confirm(db, secret(settings, signed), now).again

    with ThreadPoolExecutor(5) as pool:
        agains = sorted(pool.map(press, range(5)))

    assert agains == [False, True, True, True, True]
    assert letters(db) == 2


def test_signing_and_confirming_at_once_never_wait_for_each_other_in_a_ring(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    gate = Barrier(6)

    def act(n: int) -> None:
        gate.wait(20)
        if n % 2:
            confirm(db, secret(settings, signed), now)
        else:
            sign(db, settings, now + timedelta(minutes=5))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, range(6)))

    assert letters(db) == 2


def test_a_link_opens_for_seven_days_and_not_a_second_longer(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    token, late = secret(settings, signed), now + timedelta(days=7, seconds=1)
    assert look(db, token, now + timedelta(days=7)).state == "open"
    before = everything(db)

    pending = look(db, token, late)
    with pytest.raises(NotNow, match="expired") as caught:
        confirm(db, token, late)

    assert (pending.state, pending.letters, pending.signer_name) == ("expired", (), "")
    assert caught.value.advice
    assert everything(db) == before


def test_a_used_link_leads_to_the_receipt_only_as_long_as_it_would_have_opened(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    token = secret(settings, signed)
    confirm(db, token, now)
    assert confirm(db, token, now + timedelta(days=7)).receipt_token

    late = now + timedelta(days=7, seconds=1)
    pending = look(db, token, late)
    with pytest.raises(NotNow, match="the signature itself is confirmed"):
        confirm(db, token, late)

    assert (pending.state, pending.signer_name, pending.letters, pending.agreed) == ("confirmed", "", (), frozenset())


def test_a_link_whose_words_were_replaced_never_leads_to_the_receipt(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    newer = sign(db, settings, now + timedelta(minutes=2), own_words="My rent tripled.")
    confirm(db, secret(settings, newer), now + timedelta(minutes=3))

    assert look(db, secret(settings, signed), now + timedelta(minutes=4)).signer_name == ""
    with pytest.raises(NotNow, match="the signature itself is confirmed"):
        confirm(db, secret(settings, signed), now + timedelta(minutes=4))


def test_a_letter_changed_after_signing_is_not_confirmed(
    db: Database, settings: Settings, signed: Signature, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        session.execute(update(Target).values(salutation="Dear somebody else,"))
    before = everything(db)

    assert look(db, secret(settings, signed), now).state == "changed"
    with pytest.raises(TextChanged):
        confirm(db, secret(settings, signed), now)
    assert everything(db) == before

    again = sign(db, settings, now + timedelta(minutes=2))
    assert confirm(db, secret(settings, again), now).queued == 2


def test_words_that_were_confirmed_are_never_edited_though_nobody_signed_them(
    db: Database, settings: Settings, signed: Signature, campaign: Campaign, now: datetime
) -> None:
    with db.read() as session:
        words = campaigns.letter_of(session, campaign).body
    rewrite(
        db, campaign, words + "{% if signer.postal_code %} {{ signer.postal_code }}{% endif %}", now
    )  # Jane has none
    confirmed = confirm(db, secret(settings, signed), now)

    rewrite(db, campaign, "Something else.", now + timedelta(minutes=1))

    with db.read() as session:
        found = signing.receipt(session, confirmed.receipt_token, keys=KEYS, now=now)
        hashes = session.scalars(select(Delivery.content_hash).where(Delivery.mail_class == MailClass.LETTER)).all()
    assert {letter_hash(letter.subject, letter.text) for letter in found.letters} == set(hashes)


def test_a_letter_rewritten_while_it_is_confirmed_counts_as_changed(
    db: Database, settings: Settings, signed: Signature, campaign: Campaign, now: datetime
) -> None:
    with db.read() as session:
        words = campaigns.letter_of(session, campaign).body
    rewrite(db, campaign, words + "{% if signer.postal_code %} {{ signer.postal_code }}{% endif %}", now)

    def rewrite_again(session: Session) -> None:
        last = campaigns.letter_of(session, campaign)
        words = (last.subject, last.header, "Something else.", last.footer)
        campaigns.new_version(session, session.get_one(Campaign, campaign.id), *words, now=now, actor="test")

    with pytest.raises(TextChanged):
        behind(db, rewrite_again, lambda s: signing.confirm(s, secret(settings, signed), keys=KEYS, now=now))
    assert letters(db) == 0


def test_a_target_added_after_signing_is_not_written_to_unseen(
    db: Database, settings: Settings, signed: Signature, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        version = session.scalars(select(LetterVersion)).one()
        factories.addressing(session, campaign, factories.target(session), version)
    with pytest.raises(TextChanged):
        confirm(db, secret(settings, signed), now)


def test_a_letter_that_can_no_longer_be_written_counts_as_changed(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    with db.begin() as session:
        session.execute(update(LetterVersion).values(body="{{ signer.nonsense }}"))
    assert look(db, secret(settings, signed), now).state == "changed"


@pytest.mark.parametrize("token", ["", "x", "A" * 32, "é" * 32, "x" * 100_000])
def test_an_unknown_link_leads_nowhere(db: Database, signed: Signature, now: datetime, token: str) -> None:
    for act in (signing.look, signing.confirm, signing.receipt, signing.withdraw):
        with db.begin() as session, pytest.raises(NotFound, match="leads nowhere"):
            act(session, token, keys=KEYS, now=now)


def test_a_link_opens_no_other_door(db: Database, settings: Settings, signed: Signature, now: datetime) -> None:
    receipt_token = confirm(db, secret(settings, signed), now).receipt_token
    with db.begin() as session:
        with pytest.raises(NotFound):
            signing.withdraw(session, secret(settings, signed), keys=KEYS, now=now)
        with pytest.raises(NotFound):
            signing.confirm(session, receipt_token, keys=KEYS, now=now)


def test_letters_without_a_contact_are_held_and_the_answer_says_so(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        both = [factories.target(session), factories.target(session, email=None)]
        factories.campaign(session, slug="rents", targets=both)
    signature = sign(db, settings, now)

    first = confirm(db, secret(settings, signature), now)
    again = confirm(db, secret(settings, signature), now)

    assert (first.queued, first.held) == (again.queued, again.held) == (1, 1)
    with db.read() as session:
        found = signing.receipt(session, first.receipt_token, keys=KEYS, now=now)
    assert [letter.held_reason for letter in found.letters] == ["", "no_contact"]


def test_what_a_signer_types_stays_text(db: Database, settings: Settings, campaign: Campaign, now: datetime) -> None:
    words = "{{ 7*7 }} <script>alert(1)</script> [unsubscribe] %tag%"
    signature = sign(db, settings, now, own_words=words)
    assert words in look(db, secret(settings, signature), now).letters[0].text
