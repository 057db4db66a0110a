"""A person's rights on both databases. Numbers are the field rules'."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, select, text

from outreach import audit, people, suppression
from outreach.domain.deliveries import MailClass, State
from outreach.domain.events import EventKind
from outreach.domain.ladders import StepState, Trigger
from outreach.domain.messages import Mailbox
from outreach.ladders import NewRung, build
from outreach.models import (
    Anomaly,
    Attempt,
    Base,
    Campaign,
    CampaignState,
    Consent,
    Counter,
    Database,
    Delivery,
    ProviderEvent,
    Reply,
    SelfSend,
    ShareLink,
    Signature,
    SignatureState,
    Step,
    Supporter,
    Suppression,
)
from outreach.people.records import conditions
from outreach.settings import Settings
from outreach.transports.mailbox import MailboxTransport, mail_names
from tests import factories
from tests.unit.transports.letters import letter

ADDRESS = "marker.qx7@example.org"
MARKER = "qx7"


@pytest.fixture
def campaign(db: Database, now: datetime) -> Campaign:
    with db.begin() as session:
        return factories.campaign(session, targets=2, now=now - timedelta(days=1))


def planted(db: Database, campaign: Campaign, now: datetime) -> tuple[Signature, list[str]]:
    """A person whose marker stands in every table that may know people; the refs of their letters."""
    with db.begin() as session:
        supporter = factories.supporter(session, ADDRESS, now=now)
        signature = factories.signature(
            session,
            campaign,
            by=supporter,
            name=f"Jane {MARKER}",
            city=f"City {MARKER}",
            own_words=f"My words {MARKER}",
            own_subject=f"My subject {MARKER}",
            own_body=f"My letter {MARKER}",
            state=SignatureState.CONFIRMED,
            now=now,
        )
        signature.household_key = f"jane {MARKER}"
        one, two = factories.targets_of(session, campaign)[:2]
        gone = factories.delivery(session, signature, one, state=State.ACCEPTED, accepted_at=now, now=now)
        waiting = factories.delivery(session, signature, two, now=now)
        notice = factories.delivery(session, signature, mail_class=MailClass.NOTICE, purpose="receipt", now=now)
        factories.token(session, signature, purpose="receipt", valid_for=None)
        rung = build(session, campaign, "L", [NewRung(Trigger.CONFIRMED, "Hi", "Hello.")], now=now, actor="test").rungs[
            0
        ]
        session.add_all(
            [
                Attempt(
                    delivery_id=gone.id,
                    number=1,
                    lane_id=gone.lane_id,
                    claim_token="t",
                    transport="memory",
                    started_at=now,
                    ended_at=now,
                    outcome="accepted",
                    detail=f"<{ADDRESS}>",
                ),
                Anomaly(delivery_id=gone.id, kind="accepted_after_all", detail="the provider has it", at=now),
                ProviderEvent(
                    id="e1",
                    delivery_id=gone.id,
                    kind=EventKind.BOUNCED,
                    at=now,
                    received_at=now,
                    applied_at=now,
                    reason=f"550 <{ADDRESS}> unknown",
                    raw={"response": MARKER},
                    ref=gone.ref,
                ),
                ProviderEvent(
                    id="e2",
                    kind=EventKind.BOUNCED,
                    at=now,
                    received_at=now,
                    address_hash=supporter.address_hash,
                    ref="",
                ),
                Step(rung_id=rung.id, signature_id=signature.id, state=StepState.WAITING, due_at=now, created_at=now),
                SelfSend(signature_id=signature.id, target_id=two.id, way="copy", at=now),
                ShareLink(code="abc", campaign_id=campaign.id, signature_id=signature.id, created_at=now),
            ]
        )
        words = dict.fromkeys(("subject", "text", "quoted", "share_text"), f"Dear {MARKER}")
        factories.reply(session, gone, raw=MARKER.encode(), now=now, **words)
        suppression.suppress(session, supporter.address_hash, scope="news", reason="unsubscribed", now=now)
        return signature, [gone.ref, waiting.ref, notice.ref]


def test_every_table_that_knows_people_is_among_the_records() -> None:
    known = {model.__tablename__ for model in conditions(people.Person("h", 1))}
    about = {"supporters", "signatures", "deliveries"}
    pointing = {
        table.name
        for table in Base.metadata.sorted_tables
        if any(key.column.table.name in about for key in table.foreign_keys) or "address_hash" in table.columns
    }

    # A contact is an office's; a bundle names letters by their attempts.
    assert pointing - known == {"contacts"}


def test_f7_the_export_holds_every_kind_of_row_about_the_person(
    db: Database, campaign: Campaign, now: datetime
) -> None:
    planted(db, campaign, now)
    with db.begin() as session:
        other = factories.signature(session, campaign, name="Somebody Else", now=now)
        factories.delivery(session, other, now=now)

    with db.read() as session:
        tables = people.export(session, people.find(session, ADDRESS.upper(), keys=factories.KEYS))

    assert [name for name, rows in tables.items() if not rows] == []
    told = json.dumps(tables)
    for words in (ADDRESS, f"Jane {MARKER}", f"City {MARKER}", f"My words {MARKER}"):
        assert words in told
    assert "Somebody Else" not in told


def whole_database(db: Database) -> str:
    with db.read() as session:
        rows = [
            str(row)
            for table in Base.metadata.sorted_tables
            if isinstance(table, Table)
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
        ]
    return "\n".join(rows)


def test_f8_after_erasure_the_person_is_nowhere_and_the_books_balance(
    db: Database, campaign: Campaign, now: datetime, settings: Settings
) -> None:
    signature, refs = planted(db, campaign, now)
    folder = settings.mailbox_dir
    transport = MailboxTransport(folder)
    for ref in [refs[0], "somebodyelses"]:
        transport.send(replace(letter(), delivery=ref, to=Mailbox(f"Jane {MARKER}", "mayor@example.gov")))
    assert MARKER in whole_database(db)

    with db.begin() as session:
        found = people.find(session, ADDRESS, keys=factories.KEYS)
        before = people.look(session, found)
        done = people.erase(session, found, actor="test", now=now)
    cleared = people.clear(db, settings, now=now)

    assert before == done
    assert (done.signatures, done.cancelled, done.gone) == (1, 2, 1)
    assert MARKER not in whole_database(db)
    assert cleared == people.Cleared(files=1)
    assert [name.partition(".")[0] for name in mail_names(folder)] == ["somebodyelses"]
    with db.read() as session:
        states = dict(session.execute(select(Delivery.ref, Delivery.state)).all())
        assert [states[ref] for ref in refs] == [State.ACCEPTED, State.CANCELLED, State.CANCELLED]
        assert session.get_one(Signature, signature.id).state is SignatureState.CONFIRMED  # counted as before
        off = {problem.kind for problem in audit.audit(session, settings).problems}
        assert off <= {"unknown"}  # the other mail that this test laid into the folder


def test_f8_an_erased_person_is_not_written_to_when_an_old_list_is_imported(
    db: Database, campaign: Campaign, now: datetime
) -> None:
    planted(db, campaign, now)
    with db.begin() as session:
        people.erase(session, people.find(session, ADDRESS, keys=factories.KEYS), actor="test", now=now)

    with db.begin() as session:
        again = factories.supporter(session, ADDRESS, now=now)
        assert suppression.is_suppressed(session, again.address_hash)


def test_erasing_twice_changes_nothing_more_and_nobody_is_kept_out_too(
    db: Database, campaign: Campaign, now: datetime
) -> None:
    planted(db, campaign, now)
    for _ in range(2):
        with db.begin() as session:
            people.erase(session, people.find(session, ADDRESS, keys=factories.KEYS), actor="test", now=now)
    with db.begin() as session:
        stranger = people.find(session, "stranger@example.org", keys=factories.KEYS)
        people.erase(session, stranger, actor="test", now=now)

    with db.read() as session:
        assert session.scalars(select(Suppression.reason).order_by(Suppression.id)).all() == [
            "unsubscribed",
            "erased",
            "erased",
        ]


def old_things(db: Database, campaign: Campaign, now: datetime) -> None:
    """Something overdue for every rule, and its like that is not."""
    with db.begin() as session:
        for days, name in ((8, "Old Pending"), (6, "New Pending")):
            factories.signature(session, campaign, name=name, now=now - timedelta(days=days))
        for days, words in ((29, "old words"), (27, "new words")):
            at = now - timedelta(days=days)
            signature = factories.signature(
                session, campaign, own_words=words, own_body=words, state=SignatureState.CONFIRMED, now=at
            )
            factories.delivery(session, signature, state=State.ACCEPTED, accepted_at=at, now=at)
        held = factories.signature(
            session, campaign, own_words="held words", state=SignatureState.CONFIRMED, now=now - timedelta(days=60)
        )
        one, two = factories.targets_of(session, campaign)[:2]
        long_ago = now - timedelta(days=60)
        letter = factories.delivery(session, held, one, state=State.ACCEPTED, accepted_at=long_ago, now=long_ago)
        for days in (366, 364):
            factories.reply(session, letter, text=f"Answer of {days} days ago", now=now - timedelta(days=days))
        factories.delivery(session, held, two, state=State.HELD, reason="no_contact", now=long_ago)
        closed = factories.campaign(session, now=now - timedelta(days=300))
        closed.state, closed.closed_at = CampaignState.CLOSED, now - timedelta(days=184)
        factories.signature(
            session, closed, name="Closed Signer", state=SignatureState.CONFIRMED, now=now - timedelta(days=200)
        )
        for days in (91, 89):
            at = now - timedelta(days=days)
            session.add(
                ProviderEvent(
                    id=f"e{days}",
                    kind=EventKind.DELIVERED,
                    at=at,
                    received_at=at,
                    applied_at=at,
                    reason="250 ok",
                    ref="",
                )
            )


def test_f9_a_run_ends_exactly_what_its_dry_run_listed(
    db: Database, campaign: Campaign, now: datetime, settings: Settings
) -> None:
    old_things(db, campaign, now)
    with db.read() as session:
        counts = session.execute(select(Counter.state, Counter.n)).all()
        listed = {rows.rule: rows.ids for rows in people.overdue(session, settings, now=now) if rows.ids}
        names = {s.id: s.name or s.own_words for s in session.scalars(select(Signature))}

    assert {rule: len(ids) for rule, ids in listed.items()} == dict.fromkeys(
        ("unconfirmed", "own_words", "closed", "reports", "replies"), 1
    )
    assert names[int(listed["unconfirmed"][0])] == "Old Pending"
    assert names[int(listed["closed"][0])] == "Closed Signer"

    with db.begin() as session:
        people.apply(session, people.overdue(session, settings, now=now), actor="test", now=now)

    with db.read() as session:
        blank = {s.id for s in session.scalars(select(Signature).where(Signature.name == ""))}
        words, bodies = (set(session.scalars(select(column))) for column in (Signature.own_words, Signature.own_body))
        told = session.scalars(select(ProviderEvent.id).where(ProviderEvent.reason != "")).all()
        assert blank == {listed["unconfirmed"][0], listed["closed"][0]}
        assert words == {"", "new words", "held words"}
        assert bodies == {"", "new words"}
        assert told == ["e89"]
        assert session.scalars(select(Reply.text).where(Reply.text != "")).all() == ["Answer of 364 days ago"]
        assert len(session.scalars(select(Reply.raw).where(Reply.raw.is_not(None))).all()) == 1
        assert session.execute(select(Counter.state, Counter.n)).all() == counts
        assert not any(rows.ids for rows in people.overdue(session, settings, now=now))
        gone = session.scalars(select(Supporter.address).where(Supporter.erased_at.is_not(None))).all()
        assert len(gone) == 2
        assert all(address.startswith("erased:") for address in gone)


def test_more_rows_than_a_statement_takes_values_are_ended_as_well(
    db: Database, campaign: Campaign, now: datetime
) -> None:
    with db.begin() as session:
        signature = factories.signature(session, campaign)
        signature.network = "a-network"
        many = people.Overdue("networks", "", tuple(range(signature.id + 70_000, signature.id - 1, -1)))
        people.apply(session, [many], actor="test", now=now)
    with db.read() as session:
        assert session.get_one(Signature, signature.id).network == ""


def test_a_confirmation_that_was_asked_for_again_is_waited_for(
    db: Database, campaign: Campaign, now: datetime, settings: Settings
) -> None:
    with db.begin() as session:
        signature = factories.signature(session, campaign, now=now - timedelta(days=8))
        factories.token(session, signature, purpose="confirm", now=now - timedelta(days=1))

    with db.read() as session:
        assert not any(rows.ids for rows in people.overdue(session, settings, now=now))


def test_an_export_leaves_no_formula_for_a_spreadsheet(tmp_path: Path) -> None:
    from outreach.cli.person import _write

    _write(tmp_path, {"signatures": [{"id": 1, "name": "=HYPERLINK(1)", "n": -1}]})

    assert (tmp_path / "signatures.csv").read_text() == "id,name,n\n1,'=HYPERLINK(1),-1\n"
    assert json.loads((tmp_path / "person.json").read_text())["signatures"][0]["name"] == "=HYPERLINK(1)"


def test_consents_hold_nothing_that_tells_who_gave_them(db: Database, campaign: Campaign, now: datetime) -> None:
    """The ledger is append-only, so an erased person must not stand in it: it names them by number alone."""
    signature, _ = planted(db, campaign, now)
    with db.read() as session:
        kept = session.scalars(select(Consent).where(Consent.supporter_id == signature.supporter_id)).all()
    assert kept
    assert all(MARKER not in f"{entry.wording}{entry.source}" for entry in kept)
