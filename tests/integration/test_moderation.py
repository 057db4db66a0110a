"""Signatures that are set aside, cleared, ended together and taken back, on both databases."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from outreach import moderation, outbox, signing
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.sieves import ANY, Sieve
from outreach.domain.suspects import HOUSEHOLD_LIMIT, Suspicion
from outreach.errors import BadInput, NotFound, NotNow
from outreach.models import (
    Campaign,
    Contact,
    Counter,
    Database,
    Delivery,
    Invalidation,
    Signature,
    SignatureState,
    Target,
)
from outreach.settings import Settings
from outreach.signing import Arrival
from tests import factories
from tests.factories import KEYS
from tests.integration import acts
from tests.integration.acts import confirm, confirmations, secret, sign, withdraw

BURST = Arrival("net1", Suspicion.BURST)


def signed_and_confirmed(db: Database, settings: Settings, now: datetime, n: int, **more: object) -> Signature:
    """The nth signer signs and confirms."""
    signature = sign(db, settings, now, email=f"signer{n}@example.org", name=f"Signer {n} Doe", **more)
    confirm(db, secret(settings, signature), now)
    return acts.newest(db)


def counted(db: Database) -> int:
    return acts.count(db, Signature, Signature.is_counted)


def states(db: Database) -> dict[str, int]:
    """Letters by state, and by what held ones wait for."""
    with db.read() as session:
        rows = session.execute(
            select(Delivery.state, Delivery.reason, func.count())
            .where(Delivery.mail_class == MailClass.LETTER)
            .group_by(Delivery.state, Delivery.reason)
        )
        found = Tally[str]()
        for state, reason, n in rows:
            found[f"{state}:{reason}" if state is State.HELD else str(state)] += n
        return found


def books_balance(db: Database) -> bool:
    with db.read() as session:
        rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
        sums = session.execute(select(Counter.state, func.sum(Counter.n)).group_by(Counter.state)).all()
    return dict(rows) == {state: n for state, n in sums if n}


def clear(db: Database, settings: Settings, refs: list[str], now: datetime) -> moderation.Cleared:
    with db.begin() as session:
        return moderation.clear(session, refs, keys=KEYS, settings=settings, now=now, actor="test")


def invalidate(db: Database, campaign: Campaign, sieve: Sieve, now: datetime, *, chunk: int = 2) -> int:
    """Begin and carry to its end; the invalidation's number."""
    with db.begin() as session:
        id_ = moderation.start(session, campaign.id, sieve, reason="a bot", now=now, actor="test").id
    while moderation.carry_on(db, now=now, chunk=chunk).more:
        pass
    return id_


def take_back(db: Database, id_: int, now: datetime, *, chunk: int = 2) -> moderation.Progress:
    with db.begin() as session:
        moderation.undo(session, id_, now=now, actor="test")
    moderation.carry_on(db, now=now, chunk=chunk)
    with db.read() as session:
        return moderation.progress(session, id_)


# Suspects


def test_a_suspect_is_kept_and_confirmed_but_not_counted_and_its_letters_wait(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        signing.sign(session, "rents", acts.JANE, keys=KEYS, settings=settings, now=now, arrival=BURST)
    confirm(db, secret(settings, acts.newest(db)), now)
    found = acts.newest(db)
    assert (found.state, found.suspect, found.network) == (SignatureState.CONFIRMED, "burst", "net1")
    assert (counted(db), states(db)) == (0, {"held:suspect": 2})

    done = clear(db, settings, [found.ref], now)

    assert (done.signatures, done.letters, done.asked) == (1, 2, 0)
    assert (counted(db), states(db)) == (1, {"queued": 2})
    with pytest.raises(NotNow):
        clear(db, settings, [found.ref], now)
    with pytest.raises(NotFound):
        clear(db, settings, ["nobody"], now)


def test_a_cleared_letter_waits_for_what_every_other_letter_waits_for(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        reached, unreached = factories.target(session), factories.target(session, email=None)
        factories.campaign(session, slug="rents", targets=[reached, unreached], hold_for_waves=True)
    with db.begin() as session:
        signing.sign(session, "rents", acts.JANE, keys=KEYS, settings=settings, now=now, arrival=BURST)
    confirm(db, secret(settings, acts.newest(db)), now)
    clear(db, settings, [acts.newest(db).ref], now)
    assert states(db) == {"held:wave": 1, "held:no_contact": 1}


def test_whoever_is_not_written_to_when_they_sign_is_asked_when_they_are_cleared(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        flood = Arrival("net1", Suspicion.NETWORK)
        signing.sign(session, "rents", acts.JANE, keys=KEYS, settings=settings, now=now, arrival=flood)
    assert confirmations(db) == 0
    later = now + timedelta(days=8)  # the link that was made then has run out
    assert clear(db, settings, [acts.newest(db).ref], later).asked == 1
    assert confirmations(db) == 1
    confirm(db, secret(settings, acts.newest(db)), later)
    assert counted(db) == 1


@pytest.mark.parametrize(
    "name", ["Alex Rivera", "  aléx   RIVERA ", "Mayor of Springfield Alex Rivera", "Rivera, Alex"]
)
def test_the_name_of_a_target_is_set_aside(db: Database, settings: Settings, now: datetime, name: str) -> None:
    with db.begin() as session:
        mayor = factories.target(session, name="Alex Rivera", office="Mayor of Springfield")
        factories.campaign(session, slug="rents", targets=[mayor])
    assert sign(db, settings, now, name=name).suspect == "looks_like_target"
    assert sign(db, settings, now, name="Alexa Rivera", email="a@example.org").suspect == ""
    assert sign(db, settings, now, name="Alex Rivera Gómez", email="b@example.org").suspect == ""


def test_the_address_of_a_target_is_set_aside_and_its_domain_is_not(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        factories.campaign(session, slug="rents", targets=[factories.target(session, email="dean@uni.example.org")])
    assert sign(db, settings, now, email="Dean@uni.example.org").suspect == "looks_like_target"
    assert sign(db, settings, now, email="student@uni.example.org").suspect == ""


def test_a_pending_signer_who_takes_a_targets_name_is_set_aside(
    db: Database, settings: Settings, campaign: Campaign, signed: Signature, now: datetime
) -> None:
    with db.read() as session:
        target = session.scalars(select(Target)).first()
    assert target is not None
    sign(db, settings, now + timedelta(hours=1), name=target.name)
    assert acts.newest(db).suspect == "looks_like_target"


def test_a_letter_whose_signer_became_suspect_after_the_claim_is_held(db: Database, now: datetime) -> None:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), state=SignatureState.CONFIRMED)
        factories.delivery(session, signature)
        claim = outbox.claim(session, Stream.LETTERS, transport="memory", limit=1, lease=timedelta(minutes=2), now=now)
        signature.suspect = "burst"
    assert claim is not None
    with db.begin() as session, outbox.Books(session, now=now) as books:
        lease = timedelta(minutes=2)
        going = outbox.intend(session, claim, claim.ids, transport="memory", now=now, lease=lease, books=books)
    assert going == []
    assert states(db) == {"held:suspect": 1}


# Households


def test_a_household_shares_an_address_and_each_has_letters_of_their_own(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        session.get_one(Campaign, campaign.id).households = True
    jane = sign(db, settings, now)
    confirm(db, secret(settings, jane), now)
    joe = sign(db, settings, now, name="Joe Doe")
    confirm(db, secret(settings, joe), now)
    sign(db, settings, now, name="JOE  DOE")  # again: nobody new
    assert (counted(db), states(db), confirmations(db)) == (2, {"queued": 4}, 2)

    withdraw(db, signing.links.receipt_secret(KEYS, jane), now)

    assert (counted(db), states(db)) == (1, {"queued": 2, "cancelled": 2})
    with db.read() as session:
        assert signing.agreements.given_for(session, joe) == {"deliver_letter"}


def test_b17_a_household_gets_no_more_confirmation_mails_than_one_person_and_has_an_end(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        session.get_one(Campaign, campaign.id).households = True
    for n in range(HOUSEHOLD_LIMIT + 1):
        sign(db, settings, now, name=f"Jane {'x' * (n + 1)}")
    assert confirmations(db) == 3
    assert acts.count(db, Signature) == HOUSEHOLD_LIMIT + 1
    assert acts.newest(db).suspect == "household"


def test_without_households_another_name_at_the_address_is_the_same_signer(
    db: Database, settings: Settings, signed: Signature, now: datetime
) -> None:
    sign(db, settings, now + timedelta(hours=1), name="Joe Doe")
    assert acts.count(db, Signature) == 1
    assert acts.newest(db).name == "Joe Doe"


# Ending many


def test_threat_b22_a_flood_is_ended_in_chunks_and_comes_back_as_it_was(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    good = signed_and_confirmed(db, settings, now, 0)
    for n in range(1, 6):
        with db.begin() as session:
            form = signing.SignForm(f"Bot {n}", f"bot{n}@example.com", own_words="Same words.")
            arrival = BURST if n % 2 else Arrival("net1")
            signing.sign(session, "rents", form, keys=KEYS, settings=settings, now=now, arrival=arrival)
        if n < 5:
            confirm(db, secret(settings, acts.newest(db)), now)
    with db.begin() as session:
        held = session.scalars(select(Delivery).where(Delivery.state == State.QUEUED).order_by(Delivery.id.desc()))
        letter = next(d for d in held if d.mail_class is MailClass.LETTER and d.signature_id != good.id)
        outbox.hold(session, letter.ref, reason="staff look", actor="test", now=now)
    before, mails = states(db), acts.count(db, Delivery, Delivery.state == State.QUEUED)
    sieve = Sieve(network="net1")
    with db.read() as session:
        found = moderation.preview(session, campaign.id, sieve)
    assert (found.total, found.confirmed, found.suspects, found.gone) == (5, 4, 3, 0)
    assert acts.newest(db).state is SignatureState.PENDING

    id_ = invalidate(db, campaign, sieve, now)

    assert acts.count(db, Signature, Signature.state == SignatureState.INVALIDATED) == 5
    assert (counted(db), states(db)) == (1, {"queued": 2, "cancelled": 8})
    with db.read() as session:
        done = moderation.progress(session, id_)
    assert (done.total, done.ended, done.is_under_way) == (5, 5, False)

    done = take_back(db, id_, now)

    assert (done.ended, done.stay, done.is_under_way) == (0, 0, False)
    assert states(db) == before
    assert acts.count(db, Delivery, Delivery.state == State.QUEUED) == mails
    assert acts.newest(db).state is SignatureState.PENDING
    assert books_balance(db)
    with pytest.raises(NotNow):
        take_back(db, id_, now)


def test_letters_that_had_left_stay_gone_and_are_listed(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, name="Bot")
        first, second = factories.targets_of(session, session.get_one(Campaign, campaign.id))
        gone = factories.delivery(session, signature, first, state=State.ACCEPTED, accepted_at=now).ref
        factories.delivery(session, signature, second, state=State.QUEUED, maybe_sent=True)
    id_ = invalidate(db, campaign, Sieve(name="bo*"), now)
    assert states(db) == {"accepted": 1, "given_up": 1}
    with db.read() as session:
        assert gone in moderation.letters_gone(session, id_)
    take_back(db, id_, now)
    assert states(db) == {"accepted": 1, "given_up": 1}, "what may have left is never sent again by an undo"


def test_whoever_signed_again_since_stays_with_the_new_signature(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    old = signed_and_confirmed(db, settings, now, 1)
    id_ = invalidate(db, campaign, Sieve(refs=(old.ref,)), now)
    new = signed_and_confirmed(db, settings, now + timedelta(hours=1), 1)
    assert new.id != old.id
    done = take_back(db, id_, now)
    assert (done.ended, done.stay, done.undone_at) == (1, 1, now)
    assert (counted(db), states(db)) == (1, {"queued": 2, "cancelled": 2})


def test_what_came_after_the_preview_is_not_touched_and_an_undo_stops_what_is_under_way(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    for n in range(5):
        signed_and_confirmed(db, settings, now, n)
    with db.begin() as session:
        id_ = moderation.start(session, campaign.id, Sieve(name="signer*"), reason="x", now=now, actor="test").id
    signed_and_confirmed(db, settings, now, 9)
    moderation.carry_on(db, now=now, goes_on=lambda: False, chunk=2)
    assert counted(db) == 4
    with db.begin() as session:
        moderation.undo(session, id_, now=now, actor="test")
    moderation.carry_on(db, now=now, chunk=2)
    assert (counted(db), states(db)) == (6, {"queued": 12})


@pytest.mark.parametrize(
    ("sieve", "fits"),
    [
        (Sieve(mail_domain="example.com"), {"c"}),
        (Sieve(name="J%*"), set()),
        (Sieve(name="*DOE"), {"a", "b"}),
        (Sieve(same_words=2), {"b", "c"}),
        (Sieve(same_words=2, name="*doe"), {"b"}),
        (Sieve(reason=ANY), {"c"}),
        (Sieve(reason="network"), set()),
        (Sieve(since=factories.NOON + timedelta(minutes=1)), {"c"}),
        (Sieve(until=factories.NOON + timedelta(minutes=1), network="n"), {"b"}),
    ],
)
def test_a_sieve_finds_what_has_all_it_says_in_common(db: Database, sieve: Sieve, fits: set[str]) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for who, domain, words, minute in (
            ("a", "org", "Mine.", 0),
            ("b", "org", "Same.", 0),
            ("c", "com", "Same.", 2),
        ):
            signature = factories.signature(
                session,
                campaign,
                by=f"{who}@example.{domain}",
                name=f"{who} Doe" if who != "c" else "c Roe",
                own_words=words,
                now=factories.NOON + timedelta(minutes=minute),
            )
            signature.network, signature.suspect = "n" if who == "b" else "", "burst" if who == "c" else ""
    with db.read() as session:
        assert {row.name[0] for row in moderation.preview(session, campaign.id, sieve).sample} == fits


def test_same_words_are_still_the_same_when_half_of_them_are_ended(
    db: Database, settings: Settings, campaign: Campaign, now: datetime
) -> None:
    for n in range(5):
        sign(db, settings, now, email=f"b{n}@example.org", own_words="Same.")
    invalidate(db, campaign, Sieve(same_words=4), now, chunk=2)
    assert acts.count(db, Signature, Signature.state == SignatureState.INVALIDATED) == 5


def test_an_empty_sieve_and_one_that_finds_nothing_end_nothing(db: Database, campaign: Campaign, now: datetime) -> None:
    for sieve, error in ((Sieve(), BadInput), (Sieve(name="nobody*"), NotNow)):
        with pytest.raises(error), db.begin() as session:
            moderation.start(session, campaign.id, sieve, reason="x", now=now, actor="test")
    assert acts.count(db, Invalidation) == 0


def test_a_contact_that_went_meanwhile_leaves_the_letter_held_for_want_of_one(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents")
    signature = signed_and_confirmed(db, settings, now, 1)
    id_ = invalidate(db, campaign, Sieve(refs=(signature.ref,)), now)
    with db.begin() as session:
        contact = session.scalars(select(Contact)).one()
        contact.ended_at = now
    take_back(db, id_, now)
    assert states(db) == {"held:no_contact": 1}
