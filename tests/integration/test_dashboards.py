"""What staff and organizers see: numbers from the books, ages from the rows, and nothing counted row by row."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from outreach import dashboards, heartbeats, outbox
from outreach.domain.deliveries import MailClass, State, Stream
from outreach.domain.events import EventKind
from outreach.errors import NotFound
from outreach.models import (
    Anomaly,
    Attempt,
    CampaignKind,
    Counter,
    Database,
    Delivery,
    Minute,
    ProviderEvent,
    ProviderState,
    SignatureState,
)
from tests import factories
from tests.statements import statements


def seed(db: Database, now: datetime) -> None:
    """Two letters queued (one due for 20 minutes), one held, one in doubt, one accepted; one confirmation queued."""
    with db.begin() as session:
        campaign = factories.campaign(session, slug="rents", targets=5)
        signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED, by="jane@example.org")
        to = factories.targets_of(session, campaign)
        factories.delivery(session, signature, to[0], due_at=now - timedelta(minutes=20))
        factories.delivery(session, signature, to[1], due_at=now + timedelta(minutes=20))
        factories.delivery(session, signature, to[2], state=State.HELD, reason="no_contact")
        factories.delivery(
            session, signature, to[3], state=State.IN_DOUBT, doubt_since=now - timedelta(hours=3), maybe_sent=True
        )
        factories.delivery(session, signature, to[4], state=State.ACCEPTED, accepted_at=now)
        factories.delivery(session, signature, mail_class=MailClass.CONFIRMATION, purpose="confirm")


def overview(db: Database, now: datetime) -> dashboards.Overview:
    with db.read() as session:
        return dashboards.queue_overview(session, now=now)


def row_of(seen: dashboards.Overview, stream: Stream) -> dashboards.StreamRow:
    return next(row for row in seen.streams if row.stream is stream)


def test_an_empty_engine_has_a_row_of_noughts_for_every_stream(db: Database, now: datetime) -> None:
    seen = overview(db, now)
    assert [row.stream for row in seen.streams] == list(Stream)
    assert set(seen.counts.values()) == {0}
    assert (seen.oldest_due, seen.oldest_doubt, seen.everything_paused) == (None, None, None)
    assert seen.processes == ()


def test_the_queue_shows_counts_and_ages_per_stream(db: Database, now: datetime) -> None:
    seed(db, now)
    seen = overview(db, now)
    letters, act = row_of(seen, Stream.LETTERS), row_of(seen, Stream.ACT)
    assert {state: n for state, n in letters.counts.items() if n} == {
        State.QUEUED: 2,
        State.HELD: 1,
        State.IN_DOUBT: 1,
        State.ACCEPTED: 1,
    }
    assert {state: n for state, n in act.counts.items() if n} == {State.QUEUED: 1}
    assert seen.counts[State.QUEUED] == 3
    assert letters.total == 5
    assert letters.oldest_due == now - timedelta(minutes=20)
    assert act.oldest_due == now
    assert seen.oldest_due == now - timedelta(minutes=20)
    assert letters.oldest_doubt == seen.oldest_doubt == now - timedelta(hours=3)


def test_what_is_not_due_yet_is_not_waiting(db: Database, now: datetime) -> None:
    with db.begin() as session:
        signature = factories.signature(session, factories.campaign(session), state=SignatureState.CONFIRMED)
        factories.delivery(session, signature, due_at=now + timedelta(seconds=1))
    assert overview(db, now).oldest_due is None
    assert overview(db, now + timedelta(seconds=1)).oldest_due == now + timedelta(seconds=1)


def test_counters_are_summed_over_their_shards(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.begin() as session:
        for shard, n in ((1, 7), (2, -4)):  # one shard alone may be negative
            session.add(
                Counter(campaign_id=1, wave_id=1, mail_class=MailClass.LETTER, state=State.QUEUED, shard=shard, n=n)
            )
    assert row_of(overview(db, now), Stream.LETTERS).counts[State.QUEUED] == 5


def test_rates_count_whole_minutes(db: Database, now: datetime) -> None:
    accepted = {0: 1, 1: 2, 2: 4, 5: 8, 6: 16, 60: 32, 61: 64}  # minutes ago → mails, spread over two shards
    with db.begin() as session:
        for ago, n in accepted.items():
            at = now - timedelta(minutes=ago)
            for shard, part in ((0, n - 1), (3, 1)):
                session.add(Minute(minute=at, stream=Stream.LETTERS, outcome="accepted", shard=shard, n=part))
            session.add(Minute(minute=at, stream=Stream.LETTERS, outcome="refused", shard=0, n=1000))
    row = row_of(overview(db, now + timedelta(seconds=42)), Stream.LETTERS)
    assert (row.minute.accepted, row.minute.since) == (3, now - timedelta(minutes=1))
    assert (row.five_minutes.accepted, row.five_minutes.since) == (15, now - timedelta(minutes=5))
    assert (row.hour.accepted, row.hour.since) == (63, now - timedelta(minutes=60))
    assert row_of(overview(db, now), Stream.ACT).hour.accepted == 0


def test_held_letters_are_grouped_by_reason(db: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for reason in ("no_contact", "wave", "no_contact"):
            signature = factories.signature(session, campaign, state=SignatureState.CONFIRMED)
            factories.delivery(session, signature, state=State.HELD, reason=reason)
    seen = overview(db, now)
    assert [(held.reason, held.n) for held in seen.held] == [("no_contact", 2), ("wave", 1)]
    assert not seen.held_sampled

    monkeypatch.setattr("outreach.dashboards.queue.HELD_SAMPLE", 2)
    seen = overview(db, now)
    assert sum(held.n for held in seen.held) == 2
    assert seen.held_sampled


def test_brakes_say_who_pulled_them_and_the_one_for_everything_stands_first(db: Database, now: datetime) -> None:
    with db.begin() as session:
        user = factories.user(session, name="Ana Ortiz")
        outbox.pull_brake(session, "stream:news", actor="cli", reason="wrong list", now=now)
        outbox.pull_brake(session, "all", actor=f"user:{user.id}", reason="a typo", now=now + timedelta(seconds=5))
    seen = overview(db, now)
    assert [(b.scope, b.by, b.reason) for b in seen.brakes] == [
        ("all", "Ana Ortiz", "a typo"),
        ("stream:news", "the command line", "wrong list"),
    ]
    assert seen.everything_paused == seen.brakes[0]
    assert all(row.is_paused for row in seen.streams)

    with db.begin() as session:
        outbox.lift_brake(session, "all", actor="cli", now=now)
    seen = overview(db, now)
    assert seen.everything_paused is None
    assert [row.stream for row in seen.streams if row.is_paused] == [Stream.NEWS]


def test_only_processes_with_a_fresh_heartbeat_are_alive(db: Database, now: datetime) -> None:
    with db.begin() as session:
        heartbeats.beat(session, "worker:a:1", kind="worker", in_flight=7, now=now)
        heartbeats.beat(session, "worker:a:2", kind="worker", now=now - timedelta(seconds=31))
        heartbeats.beat(session, "beat:a:3", kind="beat", now=now - timedelta(seconds=29))
    seen = overview(db, now)
    assert [(p.name, p.in_flight) for p in seen.processes] == [("beat:a:3", 0), ("worker:a:1", 7)]
    assert (seen.alive("worker"), seen.alive("beat"), seen.alive("web")) == (1, 1, 0)


def test_a_provider_is_closed_until_the_time_it_named(db: Database, now: datetime) -> None:
    with db.begin() as session:
        session.add(
            ProviderState(
                transport="sendgrid", closed_until=now + timedelta(seconds=9), reason="429", strikes=1, changed_at=now
            )
        )
    assert overview(db, now).providers[0].closed_until == now + timedelta(seconds=9)
    assert overview(db, now + timedelta(seconds=9)).providers[0].closed_until is None


def test_the_queue_never_counts_deliveries(db: Database, now: datetime) -> None:
    seed(db, now)
    with statements(db) as seen:
        overview(db, now)
    assert len(seen) < 15
    for statement in seen:
        if "deliveries" in statement:
            assert "LIMIT" in statement, statement


def test_looks_for_the_oldest_use_the_partial_indexes(db: Database, now: datetime) -> None:
    seed(db, now)
    with statements(db) as seen:
        overview(db, now)
    assert any("deliveries.state = 'queued'" in statement for statement in seen)
    assert any("deliveries.state = 'in_doubt'" in statement for statement in seen)


def test_state_counts_are_those_of_a_campaign_a_wave_or_a_class(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.begin() as session:
        other = factories.campaign(session)
        signature = factories.signature(session, other, state=SignatureState.CONFIRMED)
        delivery = factories.delivery(session, signature)
    with db.read() as session:
        everything = dashboards.state_counts(session)
        ours = dashboards.state_counts(session, campaign_id=other.id)
        wave = dashboards.state_counts(session, wave_id=delivery.wave_id)
        unwaved = dashboards.state_counts(session, wave_id=0)
        asked = dashboards.state_counts(session, mail_class=MailClass.CONFIRMATION)
    assert set(everything) == set(State)
    assert (everything[State.QUEUED], sum(everything.values())) == (4, 7)
    assert (ours[State.QUEUED], sum(ours.values())) == (1, 1)
    assert wave == ours
    assert sum(unwaved.values()) == sum(asked.values()) == 1


def test_campaigns_show_signatures_and_letters_without_confirmations(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.begin() as session:
        later = factories.campaign(
            session, slug="later", kind=CampaignKind.PETITION, now=now + timedelta(hours=1), targets=0
        )
        for state in (SignatureState.PENDING, SignatureState.PENDING, SignatureState.WITHDRAWN):
            factories.signature(session, later, state=state)
    with db.read() as session:
        newest, rents = dashboards.campaigns_overview(session)
        (only,) = dashboards.campaigns_overview(session, slug="rents")
        assert dashboards.campaigns_overview(session, slug="nothing") == []
    assert only == rents
    assert (newest.slug, newest.confirmed, newest.pending, sum(newest.letters.values())) == ("later", 0, 2, 0)
    assert (rents.confirmed, rents.pending, rents.waiting) == (1, 0, 2)
    assert sum(rents.letters.values()) == 5


def test_a_target_without_a_contact_says_so(db: Database, now: datetime) -> None:
    with db.begin() as session:
        reachable = factories.target(session, name="Bo Reyes", email="bo@example.net", per_hour=30, hours="08:00-18:00")
        silent = factories.target(session, name="Cleo Diaz", email=None)
        campaign = factories.campaign(session, targets=[reachable, silent])
    with db.read() as session:
        first, second = dashboards.targets_of(session, campaign.id)
    assert (first.label, first.address, first.is_reachable) == ("Secretary Bo Reyes", "bo@example.net", True)
    assert (first.per_hour, first.hours, first.version_number) == (30, "08:00-18:00", 1)
    assert (second.label, second.address, second.is_reachable) == ("Secretary Cleo Diaz", "", False)


def test_recent_letters_name_signer_and_target_newest_first(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.read() as session:
        campaign_id = dashboards.campaigns_overview(session)[0].id
        letters = dashboards.recent_letters(session, campaign_id, limit=3)
    assert [letter.state for letter in letters] == [State.ACCEPTED, State.IN_DOUBT, State.HELD]
    assert {letter.signer for letter in letters} == {"Jane Doe"}
    assert all(letter.target.startswith("Secretary Alex Moreno") for letter in letters)


def test_deliveries_are_paged_without_gap_or_repeat(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for _ in range(7):
            factories.delivery(session, factories.signature(session, campaign))
    seen: list[int] = []
    before, pages = None, 0
    with db.read() as session:
        while True:
            rows, before = dashboards.deliveries_page(session, state=State.QUEUED, before=before, limit=3)
            seen += [row.number for row in rows]
            pages += 1
            if before is None:
                break
    assert seen == sorted(seen, reverse=True)
    assert (len(seen), len(set(seen)), pages) == (7, 7, 3)


def test_a_full_last_page_has_no_next_one(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session)
        for _ in range(3):
            factories.delivery(session, factories.signature(session, campaign))
    with db.read() as session:
        rows, before = dashboards.deliveries_page(session, limit=3)
    assert (len(rows), before) == (3, None)


@pytest.mark.parametrize("few", [0, 20_000])
def test_deliveries_are_filtered_by_state_and_stream(
    db: Database, now: datetime, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outreach.dashboards.deliveries._FEW", few)
    seed(db, now)
    with db.read() as session:
        rows, _ = dashboards.deliveries_page(session, state=State.QUEUED, stream=Stream.ACT)
        assert [(row.mail_class, row.stream) for row in rows] == [(MailClass.CONFIRMATION, Stream.ACT)]
        assert len(dashboards.deliveries_page(session, state=State.QUEUED)[0]) == 3
        assert len(dashboards.deliveries_page(session, stream=Stream.LETTERS)[0]) == 5
        assert dashboards.deliveries_page(session, state=State.DEAD) == ([], None)


def test_the_stream_of_deliveries_has_the_agreed_keys(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.read() as session:
        rows = [row.as_dict() for row in dashboards.every_delivery(session)]
        held = list(dashboards.every_delivery(session, state=State.HELD))
        assert len(list(dashboards.every_delivery(session, limit=2))) == 2
        assert list(dashboards.every_delivery(session, campaign_id=10**6)) == []
    assert len(rows) == 6
    assert len(held) == 1
    assert list(rows[0])[:9] == [
        *("id", "class", "state", "event_state", "maybe_sent", "campaign", "wave", "target", "signature"),
    ]
    assert set(rows[0]) >= {"attempts", "due_at", "accepted_at", "provider_id", "reason"}
    assert rows[0]["campaign"] == "rents"
    assert rows[-1]["class"] == "confirmation"
    assert rows[-1]["target"] is None


def test_a_delivery_shows_all_that_happened_to_it(db: Database, now: datetime) -> None:
    with db.begin() as session:
        user = factories.user(session, name="Ana Ortiz")
        campaign = factories.campaign(session, targets=[factories.target(session, email="office@example.net")])
        delivery = factories.delivery(session, factories.signature(session, campaign))
        outbox.hold(session, delivery.ref, reason="asked by the office", actor=f"user:{user.id}", now=now)
        assert delivery.lane_id is not None
        for number, provider_id in ((1, "sg-1"), (2, "")):
            session.add(
                Attempt(
                    delivery_id=delivery.id,
                    number=number,
                    lane_id=delivery.lane_id,
                    claim_token="t",
                    transport="sendgrid",
                    started_at=now,
                    outcome="unknown",
                    provider_id=provider_id,
                )
            )
        session.add(
            ProviderEvent(
                id="e1", delivery_id=delivery.id, kind=EventKind.DEFERRED, at=now, received_at=now, reason="<b>later"
            )
        )
        session.add(Anomaly(delivery_id=delivery.id, kind="unexpected", detail="seen twice", at=now))
    with db.read() as session:
        page = dashboards.delivery_page(session, delivery.ref)
    assert page.to == "office@example.net"
    assert [(m.from_state, m.to_state, m.reason, m.by) for m in page.log] == [
        (None, State.QUEUED, "", "test"),
        (State.QUEUED, State.HELD, "asked by the office", "Ana Ortiz"),
    ]
    assert [a.number for a in page.attempts] == [1, 2]
    assert page.row.provider_id == "sg-1"
    assert [(r.kind, r.reason) for r in page.reports] == [(EventKind.DEFERRED, "<b>later")]
    assert page.anomalies == ("unexpected: seen twice",)


def test_a_signers_address_is_masked(db: Database, now: datetime) -> None:
    seed(db, now)
    with db.begin() as session:
        ref = next(d.ref for d in session.query(Delivery) if d.mail_class is MailClass.CONFIRMATION)
    with db.read() as session:
        page = dashboards.delivery_page(session, ref)
    assert page.to == "j…@example.org"
    assert "jane" not in repr(page)


def test_no_delivery_of_that_name_is_not_found(db: Database) -> None:
    with pytest.raises(NotFound), db.read() as session:
        dashboards.delivery_page(session, "no-such-ref" * 100)
