"""Pacing on both databases: caps that hold over several workers, budgets, shares, limits of waves, holidays."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from itertools import pairwise
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import select

from outreach import holidays, outbox, targets
from outreach.domain.deliveries import State, Stream
from outreach.domain.waves import WaveState
from outreach.errors import BadInput, BadRows, NotFound
from outreach.models import Attempt, Campaign, Database, Delivery, Lane, SignatureState, Target, Wave
from outreach.outbox import Answer, Books, Claim
from outreach.settings import Settings
from outreach.transports.base import Receipt
from tests import factories
from tests.integration.pacing_machine import Mailbox
from tests.integration.races import behind

LEASE = timedelta(minutes=2)
HOUR = timedelta(hours=1)


def office(db: Database, count: int, *, campaigns: int = 1, **pace: Any) -> tuple[Target, list[Campaign]]:
    """One target with `count` letters waiting from each of so many campaigns."""
    with db.begin() as session:
        target = factories.target(session, **pace)
        found = [factories.campaign(session, targets=[target]) for _ in range(campaigns)]
        for campaign in found:
            letters(session, campaign, target, count)
    return target, found


def letters(session: Any, campaign: Campaign, target: Target, count: int, **columns: Any) -> list[int]:
    signatures = [factories.signature(session, campaign, state=SignatureState.CONFIRMED) for _ in range(count)]
    return [factories.delivery(session, signature, target, **columns).id for signature in signatures]


def claim(db: Database, now: datetime, limit: int = 100, stream: Stream = Stream.LETTERS) -> Claim | None:
    with db.begin() as session:
        return outbox.claim(session, stream, transport="memory", now=now, limit=limit, lease=LEASE)


def send(db: Database, now: datetime, limit: int = 100) -> list[int]:
    """Claim, hand over and settle at one moment; the deliveries that left."""
    held = claim(db, now, limit)
    if held is None:
        return []
    with db.begin() as session, Books(session, now=now) as books:
        going = outbox.intend(session, held, held.ids, transport="memory", now=now, lease=LEASE, books=books)
    with db.begin() as session, Books(session, now=now) as books:
        answers = [Answer(g, Receipt()) for g in going]
        base = timedelta(seconds=30)
        outbox.settle(session, held, answers, transport="memory", now=now, retry_base=base, books=books)
    return [g.delivery_id for g in going]


def campaigns_of(db: Database, ids: Sequence[int]) -> Tally[int]:
    with db.read() as session:
        return Tally(session.scalars(select(Delivery.campaign_id).where(Delivery.id.in_(ids))))


# ---- the mailbox ----------------------------------------------------------------------------------------------------


def test_c14_c15_no_hour_holds_more_than_the_cap_and_nothing_leaves_outside_the_office(db: Database) -> None:
    Mailbox.db = db
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Mailbox,
        settings=hypothesis_settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_c14_no_sixty_minutes_hold_more_than_the_cap_with_three_workers_at_once(db: Database, now: datetime) -> None:
    """Three threads claim at the same moments from one mailbox that two campaigns write to."""
    office(db, 60, campaigns=2, per_hour=30)
    moments = [now + n * timedelta(seconds=41) for n in range(130)]
    start = Barrier(3)

    def work(_: int) -> None:
        for moment in moments:
            start.wait()
            send(db, moment, 4)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    with db.read() as session:
        left = sorted(session.scalars(select(Attempt.started_at)))
    assert 36 <= len(left) <= 45, "an hour and a half"
    assert all(sum(1 for at in left if begin <= at <= begin + HOUR) <= 30 for begin in left)
    assert all(later - earlier > timedelta(seconds=114) for earlier, later in pairwise(left))


def test_a_lone_letter_leaves_at_once_and_a_crowd_trickles(db: Database, now: datetime) -> None:
    office(db, 3, per_hour=30, per_day=300)
    assert len(send(db, now)) == 1
    assert send(db, now + timedelta(minutes=1)) == []
    assert len(send(db, now + timedelta(minutes=2, seconds=1))) == 1


def test_a_cap_that_changes_takes_effect_at_the_next_claim(db: Database, now: datetime) -> None:
    target, _ = office(db, 9, per_hour=1)
    send(db, now)
    assert claim(db, now + timedelta(minutes=5)) is None
    with db.begin() as session:
        targets.set_pace(session, session.get_one(Target, target.id), {"per_hour": 60}, now=now, actor="cli")
    assert len(send(db, now + timedelta(minutes=5))) == 1


def test_a_quiet_hour_of_the_curve_sends_less(db: Database, now: datetime) -> None:
    office(db, 40, per_hour=240)
    with db.begin() as session:
        session.scalars(select(Lane)).one().curve = [4] * 12 + [2] + [0] + [4] * 10
    assert len(send(db, now)) == 10
    assert claim(db, now + HOUR) is None
    assert len(send(db, now + 2 * HOUR)) == 20


def test_what_was_counted_once_for_a_whole_bundle_is_not_counted_again(db: Database, now: datetime) -> None:
    office(db, 4, per_hour=61)
    send(db, now)
    with db.begin() as session:
        for attempt in session.scalars(select(Attempt)).all()[1:]:
            attempt.counted = False
        session.scalars(select(Lane).where(Lane.key.startswith("mailbox"))).one().opens_at = now
    office_lane = letters_again(db)
    assert len(send(db, now + timedelta(seconds=1))) == 4 == office_lane


def letters_again(db: Database) -> int:
    """Four more for the same office."""
    with db.begin() as session:
        target = session.scalars(select(Target)).one()
        campaign = session.scalars(select(Campaign)).one()
        return len(letters(session, campaign, target, 4))


# ---- fair shares ----------------------------------------------------------------------------------------------------


def test_campaigns_share_a_mailbox_and_the_one_that_had_least_goes_first(db: Database, now: datetime) -> None:
    target, (big,) = office(db, 30, per_hour=120)
    assert len(send(db, now)) == 10
    with db.begin() as session:
        small = factories.campaign(session, targets=[session.get_one(Target, target.id)])
        letters(session, small, target, 4)
    at = now + timedelta(minutes=5, seconds=1)
    assert campaigns_of(db, send(db, at)) == {small.id: 4, big.id: 6}, "what it does not need goes to the other"


def test_two_that_wait_alike_get_half_each_and_the_oldest_letters_first(db: Database, now: datetime) -> None:
    target, (one, other) = office(db, 9, campaigns=2, per_hour=120)
    with db.begin() as session:
        oldest = letters(session, one, target, 1, due_at=now - HOUR)
    ids = send(db, now)
    assert campaigns_of(db, ids) == {one.id: 5, other.id: 5}
    assert oldest[0] in ids


# ---- budgets --------------------------------------------------------------------------------------------------------


def budget(db: Database, key: str, **limits: Any) -> None:
    with db.begin() as session:
        outbox.set_budget(session, key, **limits)


def test_a_streams_budget_holds_over_workers_at_once(db: Database, now: datetime) -> None:
    for _ in range(3):
        office(db, 20)
    budget(db, "stream:letters", per_hour=600)
    start = Barrier(3)

    def work(_: int) -> int:
        start.wait()
        return sum(len(held.ids) for _ in range(3) if (held := claim(db, now, 4)))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 10, "a minute's worth"
    assert claim(db, now) is None
    later = claim(db, now + timedelta(seconds=13))
    assert later is not None
    assert len(later.ids) == 2


def test_a_domains_budget_holds_over_its_mailboxes_and_leaves_others_alone(
    db: Database, settings: Settings, now: datetime
) -> None:
    with db.begin() as session:
        for address in ("a@City.example.org", "b@city.example.org", "c@example.net"):
            target = factories.target(session, email=None)
            way = {"keys": factories.KEYS, "settings": settings, "now": now, "actor": "cli"}
            contact = targets.set_contact(session, target, email=address, **way)
            contact.lane.per_hour, contact.lane.hours, contact.lane.days = None, None, "all"
            contact.lane.per_day = None
            letters(session, factories.campaign(session, targets=[target]), target, 9)
        # As if the first of them were older than budgets.
        session.scalars(select(Lane).where(Lane.domain == "city.example.org")).all()[0].domain = ""
    budget(db, "domain:city.example.org", per_hour=300)
    assert len(send(db, now)) == 5 + 9
    with db.begin() as session:
        outbox.drop_budget(session, "domain:city.example.org")
    assert len(send(db, now)) == 13


def test_a_waves_budget_and_hours_hold_over_all_its_targets(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=3)
        wave = factories.wave(session, campaign, state=WaveState.SENDING)
        for target in factories.targets_of(session, campaign):
            letters(session, campaign, target, 10, wave_id=wave.id)
            letters(session, campaign, target, 1)
    budget(db, f"wave:{wave.id}", per_hour=240)
    assert len(send(db, now)) == 4 + 3
    assert len(send(db, now + timedelta(seconds=16))) == 1
    budget(db, f"wave:{wave.id}", per_hour=240, hours="14:00-15:00")
    assert claim(db, now + HOUR) is None
    assert len(send(db, now + 2 * HOUR)) == 4


def test_a_budget_that_is_raised_holds_at_the_next_claim(db: Database, now: datetime) -> None:
    office(db, 9)
    budget(db, "stream:letters", per_hour=1)
    assert len(send(db, now)) == 1
    budget(db, "stream:letters", per_hour=120)
    assert send(db, now + timedelta(seconds=1)) == [], "what was spent stays spent"
    assert len(send(db, now + timedelta(seconds=32))) == 1


def test_two_people_may_set_the_first_limit_of_a_key_at_the_same_moment(db: Database) -> None:
    behind(
        db,
        lambda session: outbox.set_budget(session, "stream:letters", per_hour=5),
        lambda session: outbox.set_budget(session, "stream:letters", per_hour=7),
    )
    with db.read() as session:
        assert [found.per_hour for found in outbox.budgets_set(session)] == [7], "the later one's words hold"


@pytest.mark.parametrize("key", ["", "letters", "stream:all", "domain:", "domain:a b.org", "wave:0", "wave:x"])
def test_only_streams_domains_and_waves_have_budgets(db: Database, key: str) -> None:
    with db.begin() as session, pytest.raises(BadInput):
        outbox.set_budget(session, key, per_hour=5)
    with db.begin() as session, pytest.raises(NotFound):
        outbox.drop_budget(session, key)


# ---- waves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in WaveState if s not in (WaveState.SENDING, WaveState.FINISHED)])
def test_a_wave_that_is_not_sending_gives_nothing(db: Database, now: datetime, state: WaveState) -> None:
    target, (campaign,) = office(db, 2, per_hour=120)
    with db.begin() as session:
        wave = factories.wave(session, campaign, state=state)
        letters(session, campaign, target, 3, wave_id=wave.id, due_at=now - HOUR)
    assert len(send(db, now)) == 2
    with db.begin() as session:
        session.get_one(Wave, wave.id).state = WaveState.SENDING
    assert len(send(db, now)) == 3


def test_no_more_of_a_wave_leave_than_its_phase_allows_whoever_claims(db: Database, now: datetime) -> None:
    with db.begin() as session:
        campaign = factories.campaign(session, targets=4)
        wave = factories.wave(session, campaign, state=WaveState.SENDING)
        wave.phase_limit = 7
        for target in factories.targets_of(session, campaign):
            letters(session, campaign, target, 10, wave_id=wave.id)
        letters(session, campaign, target, 1, wave_id=wave.id, state=State.ACCEPTED)
    start = Barrier(3)

    def work(_: int) -> int:
        start.wait()
        return sum(len(send(db, now, 4)) for _ in range(4))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 6
    with db.begin() as session:
        session.get_one(Wave, wave.id).phase_limit = None
    assert len(send(db, now)) == 34


# ---- holidays -------------------------------------------------------------------------------------------------------

DAYS = "2026-03-02 Founders' Day\n\n# by decree\n2026-03-03\n"


def keep(db: Database, text: str, now: datetime, **more: Any) -> holidays.Taken:
    with db.begin() as session:
        return holidays.take_days(session, "de-by", holidays.read_days(text), now=now, actor="cli", **more)


def test_an_office_that_keeps_a_holiday_gets_nothing_on_it(db: Database, now: datetime) -> None:
    target, _ = office(db, 2, hours="08:00-18:00", zone="Europe/Berlin")
    held = claim(db, now, 1)
    assert held is not None
    keep(db, DAYS, now)
    with db.begin() as session:
        changes = targets.read_pace(calendar="de-by")
        targets.set_pace(session, session.get_one(Target, target.id), changes, now=now, actor="cli")
    with db.begin() as session, Books(session, now=now) as books:
        gone = outbox.intend(session, held, held.ids, transport="memory", now=now, lease=LEASE, books=books)
    assert gone == [], "nor what was claimed before it was known"
    assert claim(db, now) is None
    with db.read() as session:
        lane = session.scalars(select(Lane).where(Lane.calendar == "de-by")).one()
        assert lane.opens_at.date() == date(2026, 3, 4)
        assert not holidays.pace_of(session, lane).is_free
    assert keep(db, "2026-03-05 Late\n", now, replace=True) == holidays.Taken(days=1, forgotten=2)
    assert len(send(db, now)) == 2


def test_the_same_list_again_changes_nothing_and_a_bad_line_is_named(db: Database, now: datetime) -> None:
    assert keep(db, DAYS, now).days == 2
    assert keep(db, DAYS, now) == holidays.Taken(days=0, forgotten=0)
    with db.read() as session:
        listed = [(row.day, row.name) for row in holidays.listing(session, "de-by")]
    assert listed == [(date(2026, 3, 2), "Founders' Day"), (date(2026, 3, 3), "")]
    for text in ("2026-02-30 No such day", "Christmas", "", "2026-12-25Christmas"):
        with pytest.raises(BadRows):
            holidays.read_days(text)


def test_a_calendar_that_nobody_imported_is_refused(db: Database, now: datetime) -> None:
    target, _ = office(db, 1)
    changes = targets.read_pace(calendar="us")
    with db.begin() as session, pytest.raises(BadInput, match="no day"):
        targets.set_pace(session, session.get_one(Target, target.id), changes, now=now, actor="cli")
