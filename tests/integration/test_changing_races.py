"""Who changes a letter while a worker sends it: either the old words leave and the change is refused, or the new do."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach import audit, outbox, signing
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.errors import NotNow
from outreach.models import Campaign, Database, Delivery
from outreach.sending import Desk
from outreach.sending.writing import Round, write_round
from outreach.settings import Settings
from tests.factories import KEYS
from tests.integration.acts import JANE, confirm, secret, sign
from tests.integration.outbox_scenes import LEASE
from tests.integration.races import behind

LETTERS = Delivery.mail_class == MailClass.LETTER
NEW = dataclasses.replace(JANE, name="Jane Q. Doe", own_words="It doubled twice.")


@pytest.fixture
def receipt(db: Database, settings: Settings, campaign: Campaign, now: datetime) -> str:
    """Jane has confirmed; the secret of her own page."""
    return confirm(db, secret(settings, sign(db, settings, now)), now).receipt_token


class Worker:
    """What a worker does with the letters, one step at a time."""

    def __init__(self, db: Database, settings: Settings, now: datetime) -> None:
        self.db, self.settings, self.now = db, settings, now
        self.desk = Desk(settings, KEYS)

    def take(self) -> tuple[outbox.Claim, Round]:
        """Claim them, and write their mails: from here on the words are in its hands."""
        with self.db.begin() as session:
            held = outbox.claim(session, Stream.LETTERS, transport="memory", now=self.now, limit=9, lease=LEASE)
        assert held is not None
        with self.db.read() as session:
            parcels = self.desk.make_up(session, held.ids)
        return held, write_round(parcels, self.now, width=9, largest=1)

    def begin(self, session: Session, held: outbox.Claim, round_: Round) -> list[str]:
        """Commit to handing them over; the texts that leave."""
        with outbox.Books(session, now=self.now) as books:
            going = outbox.intend(
                session, held, list(round_.mails), transport="memory", now=self.now, lease=LEASE, books=books
            )
        return [round_.mails[each.delivery_id].text for each in going]


@pytest.fixture
def worker(db: Database, settings: Settings, now: datetime) -> Worker:
    return Worker(db, settings, now)


def change(session: Session, receipt: str, now: datetime) -> None:
    proposed = signing.propose(session, receipt, NEW, now=now)
    signing.change(session, receipt, NEW, proposed.text_hash, keys=KEYS, now=now)


def words(db: Database, receipt: str, now: datetime) -> set[str]:
    with db.read() as session:
        found = signing.receipt(session, receipt, keys=KEYS, now=now)
        return {"new" if NEW.own_words in letter.text else "old" for letter in found.letters}


def test_words_that_a_worker_had_in_its_hands_do_not_leave_once_they_are_changed(
    db: Database, worker: Worker, receipt: str, now: datetime
) -> None:
    held, written = worker.take()
    assert all(JANE.own_words in mail.text for mail in written.mails.values())

    left = behind(db, lambda s: change(s, receipt, now), lambda s: worker.begin(s, held, written))

    assert left == [], "the claim under which the old words were written holds no longer"
    again, fresh = worker.take()
    with db.begin() as session:
        texts = worker.begin(session, again, fresh)
    assert len(texts) == 2
    assert all(NEW.own_words in text and "Jane Q. Doe" in text and JANE.own_words not in text for text in texts)
    assert words(db, receipt, now) == {"new"}


def test_once_the_old_words_are_leaving_the_change_is_refused_and_nothing_of_it_stays(
    db: Database, worker: Worker, receipt: str, now: datetime
) -> None:
    held, written = worker.take()

    with pytest.raises(NotNow, match="cannot be changed any more"):
        behind(db, lambda s: worker.begin(s, held, written), lambda s: change(s, receipt, now))

    with db.read() as session:
        assert set(session.scalars(select(Delivery.state).where(LETTERS))) == {State.SENDING}
    assert words(db, receipt, now) == {"old"}


def test_a_letter_made_up_before_a_change_and_claimed_after_it_is_not_sent_with_the_old_words(
    db: Database, settings: Settings, worker: Worker, receipt: str, now: datetime
) -> None:
    """The last line of defence: the mail is compared with the hash of what was confirmed."""
    _held, old = worker.take()
    with db.begin() as session:
        change(session, receipt, now)
    held, new = worker.take()
    assert {id_: mail.text for id_, mail in new.mails.items()} != {id_: mail.text for id_, mail in old.mails.items()}
    with db.begin() as session:
        worker.begin(session, held, new)
    with db.read() as session:
        assert {p.kind for p in audit.audit(session, settings).problems} <= {"missing"}


def test_changing_twice_at_once_leaves_one_of_the_two_whole(
    db: Database, worker: Worker, receipt: str, now: datetime
) -> None:
    other = dataclasses.replace(JANE, name="J. Doe", own_words="Another story.")

    def change_too(session: Session) -> None:
        proposed = signing.propose(session, receipt, other, now=now)
        signing.change(session, receipt, other, proposed.text_hash, keys=KEYS, now=now)

    behind(db, lambda s: change(s, receipt, now), change_too)

    held, written = worker.take()
    with db.begin() as session:
        texts = worker.begin(session, held, written)
    assert all("Another story." in text and "J. Doe" in text and NEW.own_words not in text for text in texts)
