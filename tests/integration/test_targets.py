"""How targets are reached: contacts that replace each other, lanes that are shared, limits that are checked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach import target_rows, targets
from outreach.domain.deliveries import State
from outreach.errors import BadInput, BadRows, NotFound, NotNow
from outreach.models import AuditEntry, Contact, ContactState, Database, Delivery, Lane, SignatureState, Target
from outreach.settings import Settings
from tests import factories
from tests.integration.races import behind

KEYS = factories.KEYS


def give(session: Any, target: Target, email: str, settings: Settings, now: datetime) -> Contact:
    return targets.set_contact(session, target, email=email, keys=KEYS, settings=settings, now=now, actor="test")


def test_a_new_contact_gets_a_lane_with_the_settings_limits(db: Database, settings: Settings, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session, email=None)
        contact = give(session, target, " Mayor@Example.ORG ", settings, now)
        assert contact.value == "Mayor@example.org"
        lane = contact.lane
        assert lane is not None
        assert lane.key == f"mailbox:{factories.hash_address('mayor@example.org')}"
        assert (lane.per_hour, lane.per_day, lane.hours, lane.days) == (30, 300, "08:00-18:00", "mon-fri")


def test_a_changed_address_ends_the_old_contact_and_never_edits_it(
    db: Database, settings: Settings, now: datetime
) -> None:
    later = now + timedelta(days=1)
    with db.begin() as session:
        target = factories.target(session, email=None)
        old = give(session, target, "old@example.org", settings, now)
        new = give(session, target, "new@example.org", settings, later)
        assert (old.value, old.ended_at) == ("old@example.org", later)
        assert (new.ended_at, new.lane_id == old.lane_id) == (None, False)


def test_the_same_address_again_changes_nothing_unless_it_was_failing(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        target = factories.target(session, email=None)
        first = give(session, target, "mayor@example.org", settings, now)
        assert give(session, target, "mayor@example.org", settings, now).id == first.id
        first.state = ContactState.FAILING
        session.flush()
        anew = give(session, target, "mayor@example.org", settings, now)
        assert (anew.id != first.id, anew.state, anew.lane_id) == (True, ContactState.OK, first.lane_id)


def test_two_targets_with_one_address_share_one_lane_and_its_pace(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        one, other = factories.target(session, email=None), factories.target(session, email=None)
        lane_id = give(session, one, "office@example.org", settings, now).lane_id
        targets.set_pace(session, one, targets.read_pace(per_hour="5"), now=now, actor="test")
        contact = give(session, other, "OFFICE@example.org", settings, now)
        assert contact.lane_id == lane_id
        lane = session.get_one(Lane, lane_id)
        assert (lane.per_hour, targets.sharing(session, lane)) == (5, 2)


def test_letters_held_for_want_of_a_contact_are_let_go(db: Database, settings: Settings, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session, email=None)
        campaign = factories.campaign(session, targets=[target])
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        factories.delivery(session, signature, target, state=State.HELD, reason="no_contact")
    with db.begin() as session:
        contact = give(session, session.get_one(Target, target.id), "mayor@example.org", settings, now)

    with db.read() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.state, delivery.lane_id, delivery.contact_id) == (State.QUEUED, contact.lane_id, contact.id)


@pytest.mark.parametrize("reason", ["no_contact", "wave"])
def test_letters_that_wait_for_a_wave_are_addressed_and_go_on_waiting(
    db: Database, settings: Settings, now: datetime, reason: str
) -> None:
    with db.begin() as session:
        target = factories.target(session, email="old@example.org" if reason == "wave" else None)
        campaign = factories.campaign(session, targets=[target], hold_for_waves=True)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
        factories.delivery(session, signature, target, state=State.HELD, reason=reason)
    with db.begin() as session:
        contact = give(session, session.get_one(Target, target.id), "mayor@example.org", settings, now)

    with db.read() as session:
        delivery = session.scalars(select(Delivery)).one()
        assert (delivery.state, delivery.reason) == (State.HELD, "wave")
        assert (delivery.contact_id, delivery.lane_id) == (contact.id, contact.lane_id)
        assert delivery.address_hash == contact.address_hash


@pytest.mark.parametrize("addresses", [("a@example.org", "b@example.org"), ("a@example.org", "a@example.org")])
def test_one_target_given_two_contacts_at_once_has_one_in_the_end(
    db: Database, settings: Settings, now: datetime, addresses: tuple[str, str]
) -> None:
    with db.begin() as session:
        target_id = factories.target(session, email=None).id

    def give_it(address: str) -> Callable[[Session], Contact]:
        return lambda session: give(session, session.get_one(Target, target_id), address, settings, now)

    behind(db, give_it(addresses[0]), give_it(addresses[1]))
    with db.read() as session:
        standing = session.scalars(select(Contact.value).where(Contact.ended_at.is_(None))).all()
        assert standing == [addresses[1]]


def test_two_targets_given_one_mailbox_at_once_share_its_lane(db: Database, settings: Settings, now: datetime) -> None:
    with db.begin() as session:
        ids = [factories.target(session, email=None).id for _ in range(2)]

    def give_it(id_: int) -> Callable[[Session], Contact]:
        return lambda session: give(session, session.get_one(Target, id_), "office@example.org", settings, now)

    behind(db, give_it(ids[0]), give_it(ids[1]))
    with db.read() as session:
        assert len(set(session.scalars(select(Contact.lane_id)))) == 1


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b", "a@@example.org", "Jane <a@example.org>", "a@exa mple.org", "a\n@b.c"]
)
def test_what_is_no_address_is_refused_and_changes_nothing(
    db: Database, settings: Settings, now: datetime, email: str
) -> None:
    with db.begin() as session:
        target = factories.target(session, email="mayor@example.org")
        with pytest.raises(BadInput) as caught:
            give(session, target, email, settings, now)
        assert caught.value.where == "--email"
        assert session.scalars(select(Contact)).one().ended_at is None


def test_a_changed_pace_is_written_down_and_opens_the_lane(db: Database, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session, per_hour=30, hours="08:00-18:00")
        lane = session.scalars(select(Lane)).one()
        lane.opens_at = now + timedelta(hours=9)
        changes = targets.read_pace(per_hour="none", per_day="90", hours="always", days="Mon-Fri", zone="Europe/Berlin")
        targets.set_pace(session, target, changes, now=now, actor="user:4")
        assert (lane.per_hour, lane.per_day, lane.hours, lane.days, lane.zone) == (
            None,
            90,
            "always",
            "mon-fri",
            "Europe/Berlin",
        )
        assert lane.opens_at == now
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.actor, entry.after) == ("target.pace", "user:4", changes)
        assert entry.before is not None
        assert entry.before["per_hour"] == 30


def test_a_target_without_a_mailbox_has_no_pace_to_set(db: Database, now: datetime) -> None:
    with db.begin() as session:
        target = factories.target(session, email=None)
        with pytest.raises(NotNow, match="no mailbox"):
            targets.set_pace(session, target, {"per_hour": 5}, now=now, actor="test")


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"per_hour": "0"}, "--per-hour"),
        ({"per_hour": "-3"}, "--per-hour"),
        ({"per_day": "many"}, "--per-day"),
        ({"per_day": "1.5"}, "--per-day"),
        ({"per_day": "٣"}, "--per-day"),
        ({"hours": "8-18"}, "--hours"),
        ({"hours": "18:00-08:00"}, "--hours"),
        ({"hours": "08:00-24:01"}, "--hours"),
        ({"days": "weekdays"}, "--days"),
        ({"days": ""}, "--days"),
        ({"zone": "Springfield"}, "--zone"),
        ({"zone": "../etc/passwd"}, "--zone"),
        ({"zone": ""}, "--zone"),
    ],
)
def test_limits_that_cannot_be_read_are_refused_by_name(given: dict[str, str], where: str) -> None:
    with pytest.raises(BadInput) as caught:
        targets.read_pace(**given)
    assert caught.value.where == where
    assert caught.value.advice


def test_a_target_is_found_by_number_and_by_ref(db: Database) -> None:
    with db.begin() as session:
        target = factories.target(session)
        assert targets.find(session, str(target.id)) is target
        assert targets.find(session, target.ref.upper()) is target
        for wanted in ("0", "", "9" * 30, "x"):
            with pytest.raises(NotFound):
                targets.find(session, wanted)


def test_the_listing_says_which_targets_are_held(db: Database) -> None:
    with db.begin() as session:
        reached, without = factories.target(session), factories.target(session, email=None)
        campaign = factories.campaign(session, targets=[without, reached])
        factories.target(session)
        rows = targets.listing(session, campaign)
        assert [(row.target.id, row.is_usable) for row in rows] == [(without.id, False), (reached.id, True)]
        assert rows[0].held_because.startswith("no contact")
        assert rows[0].campaigns == (campaign.slug,)
        assert rows[1].held_because == ""
        assert len(targets.listing(session)) == 3


ROWS = "name,title,email,per_hour,zone\nJane Doe,Mayor,mayor@example.org,5,Europe/Berlin\n,City Council,,,\n"


def take(db: Database, settings: Settings, now: datetime, text: str) -> list[tuple[int, str]]:
    with db.begin() as session:
        rows = target_rows.take_rows(session, text, name="t.csv", keys=KEYS, settings=settings, now=now, actor="test")
    return [(row.line, row.action) for row in rows]


def test_two_files_of_one_target_at_once_make_it_once(db: Database, settings: Settings, now: datetime) -> None:
    def take_it(session: Session) -> list[str]:
        rows = target_rows.take_rows(session, ROWS, name="t.csv", keys=KEYS, settings=settings, now=now, actor="test")
        return [row.action for row in rows]

    assert behind(db, take_it, take_it) == ["unchanged", "unchanged"]


def test_rows_are_added_once_and_changed_where_they_differ(db: Database, settings: Settings, now: datetime) -> None:
    assert take(db, settings, now, ROWS) == [(2, "add"), (3, "add")]
    assert take(db, settings, now, ROWS.replace(",", ";")) == [(2, "unchanged"), (3, "unchanged")]
    assert take(db, settings, now, ROWS.replace("5", "6")) == [(2, "change"), (3, "unchanged")]
    with db.read() as session:
        assert session.scalars(select(Lane.per_hour)).one() == 6


def test_a_bad_row_is_named_and_nothing_of_it_is_kept(db: Database, settings: Settings, now: datetime) -> None:
    bad = "name,office,email,per_hour\nJane Doe,Mayor,nope,\n,,a@example.org,\nJohn Roe,Clerk,c@example.org,0\n"
    bad += "Ann Lee,Judge,,4\n"
    with db.begin() as session:
        rows = target_rows.take_rows(session, bad, name="t.csv", keys=KEYS, settings=settings, now=now, actor="test")
    assert [(row.line, row.action) for row in rows] == [(2, "bad"), (3, "bad"), (4, "bad"), (5, "bad")]
    assert all(row.reason for row in rows)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Target)) == 0


@pytest.mark.parametrize("text", ["", "a,b\n", "name,name\n", "email\nx@example.org\n", 'name\n"x\n', "name\na,b\n"])
def test_a_file_that_is_no_table_of_targets_is_refused(
    db: Database, settings: Settings, now: datetime, text: str
) -> None:
    with pytest.raises(BadRows):
        take(db, settings, now, text)


def test_an_empty_name_leaves_the_one_a_target_has(db: Database, settings: Settings, now: datetime) -> None:
    head = "external_id,name,office,salutation\n"
    take(db, settings, now, head + "m1,Jane Doe,Mayor,Dear Mayor\n")
    assert take(db, settings, now, head + "m1,,Lord Mayor,\n") == [(2, "change")]
    with db.read() as session:
        target = session.scalars(select(Target)).one()
        assert (target.name, target.office, target.key) == ("Jane Doe", "Lord Mayor", "lord mayor|jane doe")


def test_who_holds_the_office_now_is_greeted_unless_a_row_said_how(
    db: Database, settings: Settings, now: datetime
) -> None:
    head = "external_id,name,office,salutation\n"
    take(db, settings, now, head + "m1,Jane Doe,Mayor,\nc1,John Roe,Clerk,Dear Sir\n")
    take(db, settings, now, head + "m1,Ann Lee,Mayor,\nc1,Sam Poe,Clerk,\n")
    with db.read() as session:
        assert session.scalars(select(Target.salutation).order_by(Target.id)).all() == ["Dear Mayor Lee", "Dear Sir"]


def test_a_row_that_would_make_two_targets_one_is_bad(db: Database, settings: Settings, now: datetime) -> None:
    head = "external_id,name,office\n"
    take(db, settings, now, head + "m1,Jane Doe,Mayor\n,John Roe,Clerk\n")
    assert take(db, settings, now, head + "m1,John Roe,Clerk\nm2,Ann Lee,Judge\n") == [(2, "bad"), (3, "add")]


def test_a_row_is_named_by_the_line_it_begins_on(db: Database, settings: Settings, now: datetime) -> None:
    rows = 'name,office\n"Jane\nDoe",Mayor\n\nJohn Roe,Clerk\n'
    assert take(db, settings, now, rows) == [(2, "bad"), (5, "add")]
