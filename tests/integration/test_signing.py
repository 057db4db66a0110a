"""The sign form, on both databases: what it writes down, and what it tells nobody."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select

from outreach import signing
from outreach.domain.deliveries import MAX_CONFIRMATIONS, State
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
    Token,
)
from outreach.settings import Settings
from outreach.signing import SignForm
from tests import factories
from tests.factories import KEYS
from tests.integration.acts import (
    JANE,
    confirm,
    confirmations,
    count,
    everything,
    letters,
    look,
    rewrite,
    secret,
    sign,
)


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


def test_words_that_are_signed_for_a_second_time_are_never_edited_either(
    db: Database, settings: Settings, signed: Signature, campaign: Campaign, now: datetime
) -> None:
    rewrite(db, campaign, "Lower the rents, please.", now)

    sign(db, settings, now + timedelta(minutes=2))
    rewrite(db, campaign, "Freeze the rents, please.", now + timedelta(minutes=3))

    with db.read() as session:
        versions = session.scalars(select(LetterVersion).order_by(LetterVersion.number)).all()
    assert [version.body for version in versions][1:] == ["Lower the rents, please.", "Freeze the rents, please."]


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


def test_b14_spellings_of_one_mailbox_are_one_signature(
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


def test_b17_one_address_gets_three_confirmations_a_day_over_all_campaigns(
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


def test_b17_the_number_of_confirmations_a_day_can_be_set(
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


def test_b16_only_ticked_boxes_are_agreed_to_and_in_the_words_shown(
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


def test_b16_a_box_unticked_before_confirming_is_a_withdrawal_of_its_own(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    sign(db, settings, now, updates=True)
    signature = sign(db, settings, now + timedelta(minutes=2), own_words="Changed.", updates=False)

    with db.read() as session:
        given = session.scalars(select(Consent.given).where(Consent.purpose == "updates").order_by(Consent.id)).all()
    assert given == [True, False]
    assert look(db, secret(settings, signature), now).agreed == {"deliver_letter"}


def test_a_box_unticked_in_a_second_press_counts_though_no_mail_goes(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    sign(db, settings, now, updates=True)
    signature = sign(db, settings, now + timedelta(seconds=20), updates=False)

    assert look(db, secret(settings, signature), now).agreed == {"deliver_letter"}
    assert confirmations(db) == 1
