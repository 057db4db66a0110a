"""The daily bundle on both databases: one mail, and still a delivery, an attempt and a state for each letter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from outreach import audit, feedback, outbox
from outreach.domain.deliveries import EventState, State, Stream
from outreach.domain.events import Event, EventKind
from outreach.merge import letters_in
from outreach.models import Attempt, Bundle, Campaign, Database, Delivery, Lane, Signature
from outreach.sending import Desk, Fallback, Hands, bundles, send_bundles, send_due
from outreach.sending.ways import Way
from outreach.settings import Settings
from outreach.signing import SignForm, confirm, sign
from outreach.signing.links import confirm_url
from outreach.transports.base import NoAnswer, Receipt, Refused, Unavailable
from outreach.transports.mailbox import MailboxTransport, read_mailbox
from outreach.transports.memory import MemoryTransport
from tests import factories

DAY = timedelta(days=1)


def office(db: Database, settings: Settings, *words: str, target: Any = None) -> Campaign:
    """A campaign to one office that gets bundles; for each of `words` a signer with those own words."""
    now = db.now() - timedelta(minutes=1)
    with db.begin() as session:
        campaign = factories.campaign(session, targets=[target] if target else 1, now=now)
        session.scalars(select(Lane).where(Lane.key.startswith("mailbox:"))).one().bundle = True
    for n, own_words in enumerate(words):
        sign_anew(db, settings, campaign, name=chr(ord("A") + n), own_words=own_words, now=now)
    return campaign


def sign_anew(
    db: Database,
    settings: Settings,
    campaign: Campaign,
    *,
    name: str = "Z",
    own_words: str = "",
    now: datetime | None = None,
) -> None:
    """One more signer, whose letter is due at once."""
    now = now or db.now()
    with db.begin() as session:
        email = f"jane-{campaign.id}-{name}@example.org"
        form = SignForm(name=f"Jane {name} Doe", email=email, city="Springfield", own_words=own_words)
        sign(session, campaign.slug, form, keys=factories.KEYS, settings=settings, now=now)
        signature = session.scalars(select(Signature).order_by(Signature.id.desc())).first()
        assert signature is not None
        token = confirm_url(settings, factories.KEYS, signature).rpartition("/")[2]
        confirm(session, token, keys=factories.KEYS, now=now)


def send(db: Database, settings: Settings, transport: Any) -> int:
    hands = Hands(transport, width=2)
    try:
        return send_bundles(db, hands, Desk(settings, factories.KEYS), settings=settings)
    finally:
        hands.close()


def states(db: Database) -> dict[State, int]:
    letters = select(Delivery.state, func.count()).where(Delivery.stream == Stream.LETTERS)
    with db.read() as session:
        return dict(session.execute(letters.group_by(Delivery.state)).all())


def test_all_letters_of_an_office_leave_as_one_mail_with_a_table(db: Database, settings: Settings) -> None:
    office(db, settings, "", "", "", "My rent doubled.\n\n=HYPERLINK(1)", "-1 heating for us")
    transport = MemoryTransport()
    assert send(db, settings, transport) == 5
    (mail,) = transport.sent
    assert mail.subject.startswith("5 letters: Keep rents within reach")
    assert "\n3 people sent this letter\n" in mail.text
    assert "[name]" in mail.text
    assert "Sent from Springfield by 3 people\n" + "-" * 72 + "\n\nJane A Doe\nJane B Doe\nJane C Doe\n" in mail.text
    assert "\n2 people wrote in their own words\n" in mail.text
    assert "\n1 of 2: Jane D Doe, Springfield\n" in mail.text
    assert "<b>Subject: Homes people can afford</b>" in mail.html
    assert "My rent doubled." in mail.text
    assert mail.text.count("I ask you to keep rents within reach.") == 3
    (table,) = mail.attachments
    rows = table.content.decode("utf-8-sig")
    assert '"\'-1 heating for us"' in rows, "no cell is taken for a formula"
    with db.read() as session:
        letters = {d.ref: d for d in session.scalars(select(Delivery).where(Delivery.stream == Stream.LETTERS))}
        attempts = session.scalars(select(Attempt).where(Attempt.bundle_id.is_not(None))).all()
        bundle = session.scalars(select(Bundle)).one()
        assert {d.state for d in letters.values()} == {State.ACCEPTED}
        assert letters_in(table.content).keys() == letters.keys()
        assert sorted(a.counted for a in attempts) == [False] * 4 + [True]
        assert {a.outcome for a in attempts} == {"accepted"}
        assert (bundle.letters, bundle.ref) == (5, mail.delivery)
        assert list(outbox.bundled_letters(session, [bundle.ref])) == [bundle.ref]


def test_the_office_gets_one_bundle_a_day_and_no_single_letters(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = office(db, settings, "", "")
    transport = MemoryTransport()
    hands = Hands(transport, width=1)
    desk = Desk(settings, factories.KEYS)
    assert send_due(db, hands, desk, stream=Stream.LETTERS, settings=settings) == -1
    with db.read() as session:
        assert Stream.LETTERS not in outbox.due_streams(session, db.now()), "no worker is woken for it in vain"
    assert send(db, settings, transport) == 2
    sign_anew(db, settings, campaign)
    assert send(db, settings, transport) == 0
    tomorrow = db.now() + DAY
    monkeypatch.setattr(db, "now", lambda: tomorrow)
    assert send(db, settings, transport) == 1
    hands.close()


def test_outside_its_hours_an_office_gets_no_bundle(db: Database, settings: Settings) -> None:
    office(db, settings, "")
    closed = "00:00-00:01" if db.now().hour >= 1 else "22:00-22:01"
    with db.begin() as session:
        session.scalars(select(Lane).where(Lane.bundle)).one().hours = closed
    assert send(db, settings, MemoryTransport()) == 0
    with db.read() as session:
        assert session.scalars(select(Lane).where(Lane.bundle)).one().opens_at > db.now()


@pytest.mark.parametrize(
    ("outcome", "state", "maybe_sent"),
    [
        (Refused("no"), State.REJECTED, False),
        (NoAnswer("?"), State.IN_DOUBT, True),
        (Unavailable("busy"), State.QUEUED, False),
    ],
)
def test_what_becomes_of_the_mail_becomes_of_each_letter(
    db: Database, settings: Settings, outcome: Any, state: State, maybe_sent: bool
) -> None:
    office(db, settings, "", "", "Mine.")
    assert send(db, settings, MemoryTransport([outcome])) == 0
    assert states(db) == {state: 3}
    with db.read() as session:
        letters = Delivery.stream == Stream.LETTERS
        assert set(session.scalars(select(Delivery.maybe_sent).where(letters))) == {maybe_sent}
        due = set(session.scalars(select(Delivery.due_at).where(letters, Delivery.state == State.QUEUED)))
        assert len(due) == (state is State.QUEUED), "they go again as one"
        assert audit.audit(session, settings).problems == []


def test_a_bundle_that_was_not_taken_goes_again_the_same_day(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    office(db, settings, "", "")
    assert send(db, settings, MemoryTransport([Unavailable("busy")])) == 0
    later = db.now() + timedelta(minutes=5)
    monkeypatch.setattr(db, "now", lambda: later)
    transport = MemoryTransport()
    assert send(db, settings, transport) == 2
    assert len(transport.sent) == 1


def test_who_withdrew_since_is_not_in_the_bundle(db: Database, settings: Settings) -> None:
    office(db, settings, "", "")
    lease = timedelta(minutes=2)
    with db.begin() as session:
        claimed = outbox.claim_bundle(session, transport="memory", now=db.now(), lease=lease)
        assert claimed is not None
        first = session.get_one(Delivery, claimed.held.ids[0])
        outbox.cancel_letters(session, first.signature_id or 0, reason="withdrawn", now=db.now(), actor="signer")
    transport = MemoryTransport()
    hands = Hands(transport, width=1)
    assert bundles._send(db, Way(hands), Desk(settings, factories.KEYS), claimed, settings=settings) == 1
    hands.close()
    assert first.ref not in letters_in(transport.sent[0].attachments[0].content)
    assert transport.sent[0].subject.startswith("1 letter: ")


def test_what_is_too_much_for_one_mail_follows_in_another_the_same_day(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = office(db, settings, "", "", "Mine.")
    monkeypatch.setattr(bundles, "how_many_fit", lambda letters, _: min(2, len(letters)))
    transport = MemoryTransport()
    assert send(db, settings, transport) == 3
    first, second = transport.sent
    assert (first.subject[:10], second.subject[:13]) == ("2 letters:", "1 more letter")
    assert "The others follow in a mail of their own." in " ".join(first.text.split())
    assert "too many for one mail. This is mail 2." in " ".join(second.text.split())
    assert letters_in(first.attachments[0].content).keys() | letters_in(second.attachments[0].content).keys() == {
        *_refs(db)
    }
    sign_anew(db, settings, campaign)
    assert send(db, settings, transport) == 0, "what came later waits for tomorrow"


def test_a_second_mail_that_was_not_taken_goes_again_the_same_day(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    office(db, settings, "", "", "")
    monkeypatch.setattr(bundles, "how_many_fit", lambda letters, _: min(2, len(letters)))
    assert send(db, settings, MemoryTransport([Receipt(), Unavailable("busy")])) == 2
    later = db.now() + timedelta(minutes=5)
    monkeypatch.setattr(db, "now", lambda: later)
    assert send(db, settings, MemoryTransport()) == 1


def test_each_campaign_for_one_mailbox_has_its_mail_the_same_day_within_the_mailboxs_cap(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = office(db, settings, "", "")
    with db.begin() as session:
        (target,) = factories.targets_of(session, session.get_one(Campaign, first.id))
    office(db, settings, "", "", "", target=target)
    with db.begin() as session:
        lane = session.scalars(select(Lane).where(Lane.bundle)).one()
        lane.per_hour, lane.per_day = 1, 2
    transport = MemoryTransport()
    assert send(db, settings, transport) == 2
    assert send(db, settings, transport) == 0, "the mailbox bears one mail an hour"
    later = db.now() + timedelta(minutes=61)
    monkeypatch.setattr(db, "now", lambda: later)
    assert send(db, settings, transport) == 3
    assert [mail.subject[:9] for mail in transport.sent] == ["2 letters", "3 letters"]


def test_while_the_first_way_is_closed_a_bundle_leaves_by_the_second_but_never_what_is_in_doubt(
    db: Database, settings: Settings
) -> None:
    office(db, settings, "", "", "Mine.")
    closed = Unavailable("no connection", retry_after=timedelta(minutes=5), whole=True)
    first, second = MemoryTransport([closed]), MemoryTransport()
    second.name = "second"
    with db.begin() as session:
        doubted = session.scalars(select(Delivery).where(Delivery.stream == Stream.LETTERS)).first()
        assert doubted is not None
        doubted.maybe_sent = True  # a person let it go once more
    hands, instead = Hands(first, width=1), Hands(second, width=1)
    desk = Desk(settings, factories.KEYS)
    assert send_bundles(db, hands, desk, settings=settings) == 0
    with db.begin() as session:
        session.execute(update(Delivery).where(Delivery.state == State.QUEUED).values(due_at=db.now()))
    assert send_bundles(db, hands, desk, settings=settings, fallback=Fallback(instead, per_day=1)) == 2
    assert (len(first.offered), len(second.sent)) == (1, 1)
    with db.read() as session:
        assert session.get_one(Delivery, doubted.id).state is State.QUEUED
        assert set(session.scalars(select(Attempt.transport).where(Attempt.outcome == "accepted"))) == {"second"}
    hands.close()
    instead.close()


def test_a_letter_whose_text_has_changed_is_held_and_the_others_go(db: Database, settings: Settings) -> None:
    office(db, settings, "", "")
    with db.begin() as session:
        session.scalars(select(Delivery).where(Delivery.stream == Stream.LETTERS)).first().content_hash = "other"
    assert send(db, settings, MemoryTransport()) == 1
    assert states(db) == {State.ACCEPTED: 1, State.HELD: 1}


def test_an_office_that_too_many_wait_for_gets_a_bundle_by_itself(
    db: Database, with_settings: Callable[..., Settings], settings: Settings
) -> None:
    office(db, settings, "", "", "", "")
    with db.begin() as session:
        session.scalars(select(Lane).where(Lane.bundle)).one().bundle = False
    assert send(db, settings, MemoryTransport()) == 0
    assert send(db, with_settings(bundle_over="4"), MemoryTransport()) == 0
    assert send(db, with_settings(bundle_over="3"), MemoryTransport()) == 4


def test_a_brake_and_a_closed_provider_hold_bundles_too(db: Database, settings: Settings) -> None:
    campaign = office(db, settings, "")
    with db.begin() as session:
        outbox.pull_brake(session, f"campaign:{campaign.id}", actor="user:1", reason="", now=db.now())
    assert send(db, settings, MemoryTransport()) == 0
    with db.begin() as session:
        outbox.lift_brake(session, f"campaign:{campaign.id}", actor="user:1", now=db.now())
        outbox.pull_brake(session, "stream:letters", actor="user:1", reason="", now=db.now())
    assert send(db, settings, MemoryTransport()) == 0


def test_audit_reads_every_letter_back_out_of_the_bundle(db: Database, settings: Settings) -> None:
    office(db, settings, "", "", "My own words, and an =SUM(1).")
    assert send(db, settings, MailboxTransport(settings.mailbox_dir)) == 3
    with db.read() as session:
        found = audit.audit(session, settings)
        assert (found.problems, found.transport.seen) == ([], 3)
    (mail,) = read_mailbox(settings.mailbox_dir)
    path = settings.mailbox_dir / mail.name
    assert set(audit.bundled_letters(mail)) == set(_refs(db))
    with db.begin() as session:
        session.scalars(select(Delivery).where(Delivery.stream == Stream.LETTERS)).first().content_hash = "other"
    with db.read() as session:
        assert audit.audit(session, settings).transport.wrong_content == 1
    path.with_name(mail.name.replace(".1.eml", ".1.again-x.eml")).write_bytes(mail.raw)
    with db.read() as session:
        assert audit.audit(session, settings).transport.doubled == 3
    path.write_bytes(mail.raw.replace(b"letters.csv", b"letters.txt").partition(b"Content-Disposition")[0])
    with db.read() as session:
        kinds = [p.kind for p in audit.audit(session, settings).problems]
    assert "wrong_content" in kinds


def _refs(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(select(Delivery.ref).where(Delivery.stream == Stream.LETTERS)))


def test_a_worker_that_dies_in_the_middle_leaves_every_letter_of_it_in_doubt(db: Database, settings: Settings) -> None:
    office(db, settings, "", "")

    def die(_: Any) -> Receipt:
        raise SystemExit

    with pytest.raises(SystemExit):
        send(db, settings, MemoryTransport([die]))
    with db.begin() as session:
        assert outbox.rescue(session, now=db.now() + timedelta(hours=1)) == (0, 2)
    assert states(db) == {State.IN_DOUBT: 2}


def test_a_report_about_the_mail_is_one_about_each_letter(
    db: Database, settings: Settings, with_settings: Callable[..., Settings]
) -> None:
    office(db, settings, "", "", "Mine.")
    transport = MemoryTransport([NoAnswer("?")])
    send(db, settings, transport)
    (mail,) = transport.offered
    with db.begin() as session:
        event = Event("e1", EventKind.DELIVERED, db.now(), mail.delivery, mail.attempt, "test")
        assert feedback.apply(session, [event, event], env="test", now=db.now()).foreign == 0
    assert states(db) == {State.ACCEPTED: 3}
    with db.read() as session:
        letters = session.scalars(select(Delivery).where(Delivery.stream == Stream.LETTERS)).all()
        assert {d.event_state for d in letters} == {EventState.DELIVERED}
        assert set(session.scalars(select(Attempt.outcome).where(Attempt.bundle_id.is_not(None)))) == {"accepted"}
        found = audit.audit(session, with_settings(transport="sendgrid", sendgrid_api_key="SG.x"))
        assert (found.problems, found.transport.seen) == ([], 3)


def test_a_bundle_counts_as_one_mail_against_the_cap(db: Database, settings: Settings, now: datetime) -> None:
    office(db, settings, "", "", "")
    with db.begin() as session:
        lane = session.scalars(select(Lane).where(Lane.bundle)).one()
        lane.per_day = 2
    send(db, settings, MemoryTransport())
    with db.begin() as session:
        lane = session.scalars(select(Lane).where(Lane.bundle)).one()
        lane.bundle, lane.opens_at = False, db.now()
        letters = select(Delivery).where(Delivery.stream == Stream.LETTERS)
        target_id = session.scalars(letters).first().target_id
        campaign = session.scalars(select(Campaign)).one()
        signature = factories.signature(session, campaign)
        factories.delivery(session, signature, due_at=now, target_id=target_id)
        held = outbox.claim(
            session, Stream.LETTERS, transport="memory", now=db.now(), limit=9, lease=timedelta(minutes=1)
        )
        assert held is not None
