"""The staff's pages of a person's rights, and of what has been kept long enough."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from outreach import people
from outreach.domain.deliveries import State
from outreach.domain.messages import Mailbox
from outreach.models import AuditEntry, Database, Delivery, Signature, SignatureState
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport, mail_names
from outreach.web.people import TABLES
from outreach.web.retention import fingerprint
from tests import factories
from tests.integration.inside import send, token
from tests.sites import bare
from tests.unit.transports.letters import letter

pytestmark = pytest.mark.usefixtures("rung")

PAGE = "/staff/people"
JANE = "jane@example.org"


@pytest.fixture
def gone_ref(db: Database, now: datetime) -> str:
    """Jane signed, and her one letter has left; its ref."""
    with db.begin() as session:
        jane = factories.supporter(session, JANE, now=now)
        campaign = factories.campaign(session, slug="rents")
        signature = factories.signature(
            session, campaign, by=jane, name="Jane Doe", own_words="<b>My</b> words", state=SignatureState.CONFIRMED
        )
        return factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=now).ref


def audited(db: Database, action: str) -> list[tuple[str, str]]:
    with db.read() as session:
        rows = session.execute(select(AuditEntry.actor, AuditEntry.subject).where(AuditEntry.action == action))
        return [(row.actor, row.subject) for row in rows]


def test_a_lookup_counts_what_is_held_in_every_table(staff: TestClient, db: Database, gone_ref: str) -> None:
    page = bare(send(staff, PAGE, address=f" {JANE} ").text)
    assert f"About the person with the address {JANE}." in page
    for said in ("The address 1", "Signatures: name, place, own words 1", "Letters in their name, and mails to them 1"):
        assert said in page
    assert "words</b>" not in page
    assert "Nobody with the address" in send(staff, PAGE, address="nobody@example.org").text
    with db.read() as session:
        assert set(TABLES) == set(people.export(session, people.Person("", None)))


@pytest.mark.parametrize("typed", ["", "jane", "<b>@example.org"])
def test_what_is_no_address_goes_back_as_it_was_typed(staff: TestClient, typed: str) -> None:
    for action in (PAGE, f"{PAGE}/export", f"{PAGE}/check-erase", f"{PAGE}/erase"):
        answer = staff.post(action, data={"address": typed, "again": typed, "form_token": token(staff)})
        assert answer.status_code == 422
        assert 'id="address-error"' in answer.text
        assert "<b>@" not in answer.text
    assert not typed or f'value="{typed.replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text


def test_everything_is_downloaded_as_one_file_and_audited(staff: TestClient, db: Database, gone_ref: str) -> None:
    answer = staff.post(f"{PAGE}/export", data={"address": JANE, "form_token": token(staff)})
    assert answer.headers["content-disposition"] == 'attachment; filename="person.json"'
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    tables = json.loads(answer.text)
    assert tables["signatures"][0]["own_words"] == "<b>My</b> words"
    assert [row["ref"] for row in tables["deliveries"]] == [gone_ref]
    [(actor, subject)] = audited(db, "person.export")
    assert actor == "user:1"
    assert subject.startswith("address:")
    assert "jane" not in subject


def test_erasing_says_what_it_comes_to_and_needs_the_address_again(
    staff: TestClient, db: Database, gone_ref: str
) -> None:
    form = {"address": JANE, "form_token": token(staff)}
    check = bare(staff.post(f"{PAGE}/check-erase", data=form).text)
    assert "Made nameless 1 signature, still counted Called off 0 mails that have not left" in check
    assert "Left already 1 letter; nobody can call it back" in check
    for again in ("", "john@example.org"):
        answer = staff.post(f"{PAGE}/erase", data={**form, "again": again})
        assert answer.status_code == 422
        assert "Type the same address as above. Nothing was erased." in answer.text
        assert f'name="address" value="{JANE}"' in answer.text
    with db.read() as session:
        assert session.scalars(select(Signature.name)).one() == "Jane Doe"
    assert audited(db, "person.erase") == []


def test_an_erased_person_is_gone_from_the_tables_and_the_mailbox_folder(
    staff: TestClient, db: Database, settings: Settings, gone_ref: str
) -> None:
    transport = MailboxTransport(settings.mailbox_dir)
    for ref in (gone_ref, "somebodyelses"):
        transport.send(replace(letter(), delivery=ref, to=Mailbox("Bo", "mayor@example.gov")))
    answer = staff.post(
        f"{PAGE}/erase", data={"address": JANE, "again": " Jane@Example.org", "form_token": token(staff)}
    )
    assert answer.headers["location"] == "/staff/people?done=erased"
    assert "Erased. Nobody with this address is known here any more" in staff.get(answer.headers["location"]).text
    with db.read() as session:
        assert session.execute(select(Signature.name, Signature.own_words)).one() == ("", "")
        assert session.scalars(select(Delivery.state)).one() is State.ACCEPTED
    assert [name.partition(".")[0] for name in mail_names(settings.mailbox_dir)] == ["somebodyelses"]
    [(actor, subject)] = audited(db, "person.erase")
    assert actor == "user:1"
    assert "jane" not in subject
    page = bare(send(staff, PAGE, address=JANE).text)
    assert "Nobody with the address" in page
    assert "Notes not to write to them (a hash of the address) 1" in page


def test_no_page_takes_an_address_from_where_logs_and_browsers_keep_it(staff: TestClient, gone_ref: str) -> None:
    assert JANE not in staff.get(f"{PAGE}?address={JANE}").text
    for action in ("export", "check-erase", "erase"):
        assert staff.get(f"{PAGE}/{action}?address={JANE}").status_code == 405


# What has been kept long enough

KEPT = "/staff/retention"


def unconfirmed(db: Database, at: datetime) -> int:
    with db.begin() as session:
        return factories.signature(session, factories.campaign(session), name="Old Pending", now=at).id


def test_nothing_is_overdue_at_first(staff: TestClient) -> None:
    page = staff.get(KEPT).text
    assert "Nothing is overdue." in page
    assert f'action="{KEPT}"' not in page
    assert f'href="{KEPT}"' in staff.get(PAGE).text


def test_what_is_listed_is_ended_and_audited(staff: TestClient, db: Database, now: datetime) -> None:
    old, young = (unconfirmed(db, now - timedelta(days=days)) for days in (8, 6))
    assert "Signatures that nobody confirmed in 7 days 1" in bare(staff.get(KEPT).text)
    answer = send(staff, KEPT)
    assert "Ended. Counts of signatures" in staff.get(answer.headers["location"]).text
    with db.read() as session:
        assert session.get_one(Signature, old).name == ""
        assert session.get_one(Signature, young).name == "Old Pending"
    assert audited(db, "retention.apply") == [("user:1", "rule:unconfirmed")]


@pytest.mark.parametrize(
    "other", [{"listed": "0" * 64}, {"listed_at": "soon"}, {"listed_at": "2026-03-02T12:00:00"}, {"listed_at": ""}]
)
def test_a_list_that_does_not_hold_any_more_ends_nothing(
    staff: TestClient, db: Database, now: datetime, other: dict[str, str]
) -> None:
    old = unconfirmed(db, now - timedelta(days=8))
    answer = send(staff, KEPT, **other)
    assert answer.status_code == 409
    assert "Nothing was ended" in answer.text
    with db.read() as session:
        assert session.get_one(Signature, old).name == "Old Pending"


def test_nobody_lists_the_future_to_end_what_is_not_overdue(
    staff: TestClient, db: Database, settings: Settings, now: datetime
) -> None:
    unconfirmed(db, now - timedelta(days=8))
    young = unconfirmed(db, now - timedelta(days=6))
    later = now + timedelta(days=2)
    with db.read() as session:
        listed = fingerprint(people.overdue(session, settings, now=later))
    assert send(staff, KEPT, listed=listed, listed_at=later.isoformat()).status_code == 409
    with db.read() as session:
        assert session.get_one(Signature, young).name == "Old Pending"
