"""An installation of the first release, with mail in every stage, is brought to this one and goes on sending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import make_url, text

from outreach import outbox, waves
from outreach.audit import audit
from outreach.domain.deliveries import EventState, State, Stream
from outreach.domain.waves import Phase, WaveState
from outreach.migrating import current, migrate, newest
from outreach.models import Attempt, Campaign, Database, Delivery, Lane, ProviderEvent, Signature, Wave
from outreach.outbox import Answer, Books
from outreach.transports.base import Receipt
from tests.conftest import make_settings
from tests.shelf import create_database

MOMENT = "2026-02-27 09:00:00+00:00"
_LEASE = timedelta(minutes=2)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as the first release made it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        name = f"old{uuid4().hex[:12]}"
        create_database(server, name)
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
    db = Database(url)
    migrate(db, to="0001")
    yield db
    db.close()


def insert(db: Database, table: str, **values: Any) -> None:
    """One row, in SQL: the models know columns that are not there yet."""
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f":{name}" for name in values)
    with db.begin() as session:
        session.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)


def person(db: Database, n: int) -> None:
    """A confirmed signer, and the signature."""
    insert(db, "supporters", id=n, ref=f"supporter{n}", address=f"p{n}@example.org", address_key=f"p{n}@example.org",
           address_hash=f"person-{n}", created_at=MOMENT)  # fmt: skip
    insert(db, "signatures", id=n, ref=f"signature{n}", campaign_id=1, supporter_id=n, state="confirmed", name="Ada L",
           city="Springfield", postal_code="12345", own_words="My roof leaks.", language="en", text_hash="t",
           source="web", evidence="link", created_at=MOMENT, confirmed_at=MOMENT)  # fmt: skip


def letter(db: Database, n: int, state: str, **columns: Any) -> None:
    """The letter of person `n`, its log and its counter."""
    person(db, n)
    row = {"attempts": 0, "maybe_sent": False} | columns
    insert(db, "deliveries", id=n, ref=f"delivery{n}", **{"class": "letter"}, stream="letters", purpose="", serial=1,
           state=state, reason="", campaign_id=1, wave_id=1, signature_id=n, supporter_id=n, target_id=1, contact_id=1,
           version_id=1, lane_id=1, address_hash="mailbox", content_hash="c", created_at=MOMENT, due_at=MOMENT,
           tries=0, resends=0, **row)  # fmt: skip
    insert(db, "delivery_log", delivery_id=n, at=MOMENT, to_state=state, reason="", actor="engine")
    insert(db, "counters", campaign_id=1, wave_id=1, **{"class": "letter"}, state=state, shard=n, n=1)


def attempt(db: Database, n: int, outcome: str) -> None:
    insert(db, "attempts", delivery_id=n, number=1, lane_id=1, claim_token="t", transport="memory", started_at=MOMENT,
           ended_at=MOMENT, outcome=outcome, provider_id="", detail="")  # fmt: skip


def fill(db: Database) -> None:
    """A published campaign with its standing wave, one mailbox, and three letters: waiting, gone, in doubt."""
    insert(db, "campaigns", id=1, slug="fair-rents", kind="letter", state="published", title="Fair rents", opening="",
           story="", why="", coalition="", call_to_act="", language="en", hold_for_waves=False, source_hash="h",
           created_at=MOMENT, published_at=MOMENT)  # fmt: skip
    insert(db, "waves", id=1, campaign_id=1, kind="letters", state="sending", is_standing=True, name="As they come",
           created_at=MOMENT)  # fmt: skip
    insert(db, "lanes", id=1, key="mailbox:m", stream="letters", per_hour=30, per_day=300, hours="08:00-18:00",
           days="mon-fri", zone="UTC", opens_at=MOMENT)  # fmt: skip
    insert(db, "targets", id=1, ref="target1", key="mayor|sam", name="Sam", office="Mayor", salutation="Dear Mayor",
           language="en", zone="UTC", created_at=MOMENT)  # fmt: skip
    insert(db, "contacts", id=1, target_id=1, channel="email", value="mayor@example.gov", address_hash="mailbox",
           lane_id=1, priority=0, state="ok", created_at=MOMENT)  # fmt: skip
    insert(db, "letter_versions", id=1, campaign_id=1, number=1, subject="s", header="", body="b", footer="",
           created_at=MOMENT, signed_at=MOMENT)  # fmt: skip
    insert(db, "addressings", id=1, campaign_id=1, target_id=1, version_id=1, position=0)
    letter(db, 1, "queued")
    letter(db, 2, "accepted", attempts=1, accepted_at=MOMENT, event_state="delivered", event_at=MOMENT)
    attempt(db, 2, "accepted")
    insert(db, "provider_events", id="event-1", delivery_id=2, attempt=1, kind="delivered", at=MOMENT,
           received_at=MOMENT, reason="")  # fmt: skip
    letter(db, 3, "in_doubt", attempts=1, maybe_sent=True, doubt_since=MOMENT)
    attempt(db, 3, "unknown")


def test_an_upgrade_keeps_every_row_and_reads_it_through_the_models(old: Database) -> None:
    fill(old)
    migrate(old)
    assert current(old) == newest()
    with old.read() as session:
        assert session.get_one(Campaign, 1).slug == "fair-rents"
        wave = session.get_one(Wave, 1)
        assert (wave.state, wave.is_standing, wave.phase, wave.canary) == (WaveState.SENDING, True, Phase.FULL, 0)
        assert (wave.audience, wave.forgiven, wave.started_at) == ({}, {}, wave.created_at)
        lane = session.get_one(Lane, 1)
        assert (lane.per_hour, lane.hours, lane.bundle, lane.domain) == (30, "08:00-18:00", False, "")
        assert session.get_one(Signature, 1).own_words == "My roof leaks."
        assert session.get_one(Delivery, 2).event_state is EventState.DELIVERED
        assert session.get_one(Attempt, (2, 1)).counted
        event = session.get_one(ProviderEvent, "event-1")
        assert event.applied_at == event.received_at, "what was reported before has been applied"
        assert waves.progress(session, wave, now=wave.created_at).total == 3


def test_an_upgraded_engine_sends_what_waited_and_settles_what_was_in_doubt(
    old: Database, tmp_path: Path, now: datetime
) -> None:
    fill(old)
    migrate(old)
    with old.begin() as session:
        held = outbox.claim(session, Stream.LETTERS, transport="memory", now=now, limit=10, lease=_LEASE)
    assert held is not None
    assert list(held.ids) == [1]
    with old.begin() as session, Books(session, now=now) as books:
        going = outbox.intend(session, held, held.ids, transport="memory", now=now, lease=_LEASE, books=books)
    answers = [Answer(one, Receipt("taken")) for one in going]
    with old.begin() as session, Books(session, now=now) as books:
        base = timedelta(seconds=30)
        outbox.settle(session, held, answers, transport="memory", now=now, retry_base=base, books=books)
        outbox.accept_evidence(session, books, [3], now)
    waves.tick(old, settings=make_settings(tmp_path, old.url), now=now)
    with old.read() as session:
        assert {session.get_one(Delivery, n).state for n in (1, 2, 3)} == {State.ACCEPTED}
        assert session.get_one(Wave, 1).state is WaveState.SENDING, "a standing wave goes on"
        problems = audit(session, make_settings(tmp_path, old.url)).problems
        assert [p for p in problems if p.kind in ("counter", "log", "attempt")] == []
