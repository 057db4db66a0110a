"""Signing, confirming, following and withdrawing, on both databases."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from outreach import outbox, signing
from outreach.domain.deliveries import MAX_CONFIRMATIONS, MailClass, State
from outreach.errors import BadSignature, NotFound, NotNow, TextChanged
from outreach.keys import hash_of
from outreach.models import (
    Campaign,
    CampaignState,
    Consent,
    Database,
    Delivery,
    LetterVersion,
    Signature,
    SignatureState,
    Supporter,
    Target,
    Token,
)
from outreach.settings import Settings
from outreach.signing import SignForm
from tests import factories
from tests.factories import KEYS

JANE = SignForm("Jane Doe", "jane@example.org", city="Springfield", own_words="My rent doubled.")


@pytest.fixture
def campaign(db: Database) -> Campaign:
    with db.begin() as session:
        return factories.campaign(session, slug="rents", targets=2)


@pytest.fixture
def signed(db: Database, settings: Settings, campaign: Campaign, now: datetime) -> Signature:
    """Jane has signed; her link is in the mail."""
    return sign(db, settings, now)


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


# --- signing ---


def test_signing_writes_signature_link_and_confirmation_and_no_letter(
    db: Database, settings: Settings, signed: Signature
) -> None:
    assert (signed.state, signed.name, signed.own_words) == (SignatureState.PENDING, "Jane Doe", "My rent doubled.")
    assert (confirmations(db), letters(db)) == (1, 0)
    with db.read() as session:
        link = session.scalars(select(Token)).one()
        mail = session.scalars(select(Delivery)).one()
        assert (mail.purpose, mail.state, mail.signature_id) == ("confirm", State.QUEUED, signed.id)
        assert (link.purpose, link.text_hash, link.signature_id) == ("confirm", signed.text_hash, signed.id)
        assert link.expires_at == link.created_at + timedelta(days=7)
        assert link.hash == hash_of(secret(settings, signed))
        assert all(version.signed_at for version in session.scalars(select(LetterVersion)))


def test_every_wrong_field_is_named_at_once_and_nothing_is_written(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    wrong = SignForm("Jane\nBcc: x", "not an address", city="a\rb", own_words="x" * 2001, language="??")

    with pytest.raises(BadSignature) as caught:
        sign(db, settings, now, wrong)

    assert set(caught.value.fields) == {"name", "email", "city", "own_words", "language"}
    assert all(sentence.endswith(".") for sentence in caught.value.fields.values())
    assert count(db, Supporter) == 0


@pytest.mark.parametrize(
    "email",
    [
        "",
        "jörg@example.org",
        "jane@localhost",
        "Jane <jane@example.org>",
        "jane@example.org\r\nBcc: x@example.org",
        "a" * 65 + "@example.org",
        "a" * 250 + "@example.org",
        "jane@example.org, joe@example.org",
    ],
)
def test_an_address_that_cannot_be_written_to_is_refused(
    db: Database, settings: Settings, campaign: Campaign, now: datetime, email: str
) -> None:
    with pytest.raises(BadSignature) as caught:
        sign(db, settings, now, email=email)
    assert list(caught.value.fields) == ["email"]


def test_an_international_domain_is_kept_in_ascii(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    sign(db, settings, now, email="Jane@bücher.example.org")
    with db.read() as session:
        assert session.scalars(select(Supporter.address)).one() == "Jane@xn--bcher-kva.example.org"


def test_own_words_that_make_the_letter_too_long_are_refused_as_such(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", body="Sentence. " * 1400 + "{{ signer.own_words }}")
    with pytest.raises(BadSignature) as caught:
        sign(db, settings, now, own_words="word " * 380)
    assert list(caught.value.fields) == ["own_words"]


@pytest.mark.parametrize(("state", "error"), [(CampaignState.DRAFT, NotFound), (CampaignState.CLOSED, NotNow)])
def test_only_a_published_campaign_can_be_signed(
    db: Database, settings: Settings, now: datetime, state: CampaignState, error: type[Exception]
) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", state=state)
    with pytest.raises(error):
        sign(db, settings, now)
    with pytest.raises(NotFound):
        sign(db, settings, now, slug="no-such-campaign")


def test_the_answer_is_the_same_whoever_signed_before(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        factories.signature(session, campaign, by="pending@example.org")
        factories.signature(session, campaign, by="confirmed@example.org", state=SignatureState.CONFIRMED)
        factories.suppression(session, "suppressed@example.org")

    answers = []
    with db.begin() as session:
        for person in ("new", "pending", "confirmed", "suppressed"):
            form = dataclasses.replace(JANE, email=f"{person}@example.org")
            answers.append(signing.sign(session, "rents", form, keys=KEYS, settings=settings, now=now))

    assert len({dataclasses.replace(answer, address="") for answer in answers}) == 1


@pytest.mark.parametrize("scope", ["all", "campaign"])
def test_nothing_is_written_about_a_suppressed_address(
    db: Database, settings: Settings, campaign: Campaign, now: datetime, scope: str
) -> None:
    with db.begin() as session:
        scope = f"campaign:{campaign.id}" if scope == "campaign" else scope
        factories.suppression(session, "JANE@example.org", scope=scope)
    before = everything(db)

    with db.begin() as session:
        signing.sign(session, "rents", JANE, keys=KEYS, settings=settings, now=now)

    assert everything(db) == before


def test_nothing_is_written_for_somebody_who_has_confirmed(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    confirm(db, secret(settings, signed), now)
    before = everything(db)

    sign(db, settings, now + timedelta(days=2), name="Somebody Else", own_words="Other words.", updates=True)

    assert everything(db) == before


def test_spellings_of_one_mailbox_are_one_signature(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    for n, email in enumerate(["A.b+x@GMAIL.com", "ab@gmail.com", "ab@googlemail.com"]):
        sign(db, settings, now + timedelta(minutes=2 * n), email=email)
    for email in ["a.b@example.com", "ab@example.com"]:
        sign(db, settings, now, email=email)
    assert count(db, Signature) == 3


def test_a_second_press_of_the_button_sends_no_second_mail(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    before = everything(db)
    sign(db, settings, now + timedelta(seconds=20))
    assert everything(db) == before


def test_asking_again_sends_the_same_link_once_more_and_keeps_it_open_longer(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    again = sign(db, settings, now + timedelta(days=6))

    assert (again.id, again.text_hash, confirmations(db)) == (signed.id, signed.text_hash, 2)
    assert look(db, secret(settings, signed), now + timedelta(days=10)).state == "open"
    assert count(db, Consent) == 1


def test_changed_words_make_a_new_link_and_void_the_old_one(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    changed = sign(db, settings, now + timedelta(seconds=20), own_words="My rent tripled.")

    assert (changed.id, changed.own_words, confirmations(db)) == (signed.id, "My rent tripled.", 2)
    assert look(db, secret(settings, signed), now).state == "changed"
    assert look(db, secret(settings, changed), now).state == "open"
    with pytest.raises(TextChanged):
        confirm(db, secret(settings, signed), now)
    assert letters(db) == 0


def test_going_back_to_the_first_words_opens_the_first_link_again(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    changed = sign(db, settings, now + timedelta(minutes=2), own_words="My rent tripled.")
    sign(db, settings, now + timedelta(minutes=4))

    assert look(db, secret(settings, signed), now).state == "open"
    assert look(db, secret(settings, changed), now).state == "changed"


def test_one_address_gets_three_confirmations_a_day_over_all_campaigns(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        slugs = [factories.campaign(session).slug for _ in range(5)]

    for n, slug in enumerate(slugs):
        sign(db, settings, now + timedelta(minutes=n), slug=slug)
    assert (count(db, Signature), confirmations(db)) == (5, 3)

    sign(db, settings, now + timedelta(hours=23, minutes=59), slug=slugs[4])
    assert confirmations(db) == 3
    signature = sign(db, settings, now + timedelta(hours=24, minutes=1), slug=slugs[4])
    assert confirmations(db) == 4
    assert look(db, secret(settings, signature), now + timedelta(days=2)).state == "open"


def test_the_number_of_confirmations_a_day_can_be_set(
    db: Database, with_settings: object, campaign: Campaign, now: datetime
) -> None:
    settings: Settings = with_settings(confirmations_per_day="1")  # type: ignore[operator]
    sign(db, settings, now)
    sign(db, settings, now + timedelta(hours=1))
    assert confirmations(db) == 1


def test_a_signature_is_asked_for_five_times_at_most(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    for day in range(MAX_CONFIRMATIONS + 3):
        sign(db, settings, now + timedelta(days=2 * day))
    assert confirmations(db) == MAX_CONFIRMATIONS


def test_words_that_no_mail_could_confirm_any_more_leave_the_last_link_open(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    for n in range(3):
        last = sign(db, settings, now + timedelta(minutes=n), own_words=f"Words {n}.")

    after = sign(db, settings, now + timedelta(minutes=9), own_words="Words that come too late today.")

    assert (after.own_words, confirmations(db)) == ("Words 2.", 3)
    assert look(db, secret(settings, last), now).state == "open"


def test_many_forms_at_once_with_one_address_leave_one_signature_and_one_mail(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    gate = Barrier(5)

    def press(n: int) -> None:
        gate.wait(20)
        with db.begin() as session:
            form = dataclasses.replace(JANE, email=["jane@example.org", "JANE@example.org"][n % 2])
            signing.sign(session, "rents", form, keys=KEYS, settings=settings, now=now)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(press, range(5)))

    assert (count(db, Supporter), count(db, Signature), count(db, Token), confirmations(db)) == (1, 1, 1, 1)


def test_the_daily_cap_holds_when_all_campaigns_are_signed_at_once(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        slugs = [factories.campaign(session).slug for _ in range(6)]
    gate = Barrier(6)

    def press(slug: str) -> None:
        gate.wait(20)
        with db.begin() as session:
            signing.sign(session, slug, JANE, keys=KEYS, settings=settings, now=now)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(press, slugs))

    assert (count(db, Signature), confirmations(db)) == (6, 3)


# --- consents ---


def test_only_ticked_boxes_are_agreed_to_and_in_the_words_shown(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    sign(db, settings, now)
    sign(db, settings, now, email="joe@example.org", updates=True, show_name=True)

    with db.read() as session:
        rows = session.execute(
            select(Supporter.address, Consent.purpose, Consent.wording, Consent.source, Consent.language, Consent.at)
            .join(Supporter, Supporter.id == Consent.supporter_id)
            .where(Consent.given)
        ).all()
    agreed = {(row.address.partition("@")[0], row.purpose) for row in rows}
    assert agreed == {
        ("jane", "deliver_letter"),
        ("joe", "deliver_letter"),
        ("joe", "updates"),
        ("joe", "show_name"),
    }
    assert all("Fair Homes Union" in row.wording for row in rows)
    assert {(row.source, row.language, row.at) for row in rows} == {("web", "en", now)}


def test_a_box_unticked_before_confirming_is_a_withdrawal_of_its_own(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    sign(db, settings, now, updates=True)
    signature = sign(db, settings, now + timedelta(minutes=2), own_words="Changed.", updates=False)

    with db.read() as session:
        given = session.scalars(select(Consent.given).where(Consent.purpose == "updates").order_by(Consent.id)).all()
    assert given == [True, False]
    assert look(db, secret(settings, signature), now).agreed == {"deliver_letter"}


# --- looking and confirming ---


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


# --- receipt and withdrawal ---


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


def withdraw(db: Database, token: str, now: datetime) -> signing.Withdrawn:
    with db.begin() as session:
        return signing.withdraw(session, token, keys=KEYS, now=now)


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
