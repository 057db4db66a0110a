"""Letters that their signers rewrote, where the organizer lets them: bound to the confirmation like every letter."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from outreach.domain.deliveries import MailClass
from outreach.errors import BadSignature
from outreach.models import Campaign, Database, Delivery
from outreach.sending.parcels import Desk
from outreach.settings import Settings
from tests import factories
from tests.factories import KEYS
from tests.integration.acts import JANE, confirm, look, secret, sign

BODY = "Rents rise. Please act.\n\n{{ signer.own_words }}"
OWN = {"subject": "Rents are too high", "body": "Two of my neighbours left.\n\nPlease cap {{ rents }}."}


@pytest.fixture
def rents(db: Database) -> Campaign:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", body=BODY, targets=2)
        campaign.edit_subject = campaign.edit_body = True
        return campaign


def letters_sent(db: Database, settings: Settings, now: datetime) -> list[str]:
    """The text of each letter as a worker writes it: it refuses what is not what was confirmed."""
    with db.read() as session:
        ids = session.scalars(select(Delivery.id).where(Delivery.mail_class == MailClass.LETTER)).all()
        return [parcel.write(now).text for parcel in Desk(settings, KEYS).make_up(session, ids)]


def test_a_rewritten_letter_is_shown_confirmed_and_sent_as_it_was_written(
    db: Database, settings: Settings, now: datetime, rents: Campaign
) -> None:
    signature = sign(db, settings, now, **OWN)
    assert (signature.own_subject, signature.own_body) == (OWN["subject"], OWN["body"])
    token = secret(settings, signature)
    shown = look(db, token, now).letters

    assert [letter.subject for letter in shown] == [OWN["subject"]] * 2
    assert all(f"{OWN['body']}\n\n{JANE.own_words}" in letter.text for letter in shown)
    assert all("Rents rise." not in letter.text for letter in shown)
    assert confirm(db, token, now).held + confirm(db, token, now).queued == 2
    sent = letters_sent(db, settings, now)
    assert [text.startswith(letter.text) for text, letter in zip(sent, shown, strict=True)] == [True, True]


def test_threat_b5_another_body_makes_another_link_and_ends_the_old_one(
    db: Database, settings: Settings, now: datetime, rents: Campaign
) -> None:
    first = secret(settings, sign(db, settings, now))
    second = secret(settings, sign(db, settings, now, **OWN))
    assert first != second
    assert (look(db, first, now).state, look(db, second, now).state) == ("changed", "open")


def test_what_the_organizer_does_not_let_signers_write_is_not_taken(
    db: Database, settings: Settings, now: datetime, rents: Campaign
) -> None:
    with db.begin() as session:
        campaign = session.get_one(Campaign, rents.id)
        campaign.edit_subject = campaign.edit_body = False
    signature = sign(db, settings, now, **OWN)
    assert (signature.own_subject, signature.own_body) == ("", "")


def test_a_body_that_each_target_reads_differently_is_not_open(db: Database, settings: Settings, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", body="You, {{ target.name }}, can act.", targets=2)
        campaign.edit_body = True
    assert sign(db, settings, now, **OWN).own_body == ""


def test_the_campaigns_own_words_sent_back_unchanged_are_the_campaigns_own(
    db: Database, settings: Settings, now: datetime, rents: Campaign
) -> None:
    assert sign(db, settings, now, body="Rents rise. Please act.\r\n").own_body == ""


def test_a_letter_that_becomes_too_long_or_a_bad_subject_is_said_beside_its_field(
    db: Database, settings: Settings, now: datetime, rents: Campaign
) -> None:
    with pytest.raises(BadSignature) as caught:
        sign(db, settings, now, subject="Rents\nBcc: x@example.org", body="x" * 10_001)
    assert list(caught.value.fields) == ["subject", "body"]
