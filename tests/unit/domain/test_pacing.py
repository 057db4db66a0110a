"""Pacing: no sixty minutes with more than the cap, no clumps, and budgets that fill evenly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.pacing import (
    DAY,
    HOUR,
    UNLIMITED,
    OfficeHours,
    Pace,
    fair_shares,
    room,
    spend,
    trickle,
    trickling,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=1)


def ago(*minutes: float) -> list[datetime]:
    """When mails ended, oldest first."""
    return [NOON - m * MINUTE for m in minutes]


def test_a_lane_without_caps_has_room_for_any_batch() -> None:
    assert room(Pace(), [], 0, NOON).now == UNLIMITED


def test_a_lone_letter_leaves_at_once() -> None:
    assert room(Pace(per_hour=30, per_day=300), [], 0, NOON).now == 1


@pytest.mark.parametrize(
    ("per_hour", "together", "within"), [(1, 1, 60), (30, 1, 2), (60, 1, 1), (120, 10, 5), (100_000, 8_333, 4.9998)]
)
def test_letters_trickle_one_by_one_or_in_what_five_minutes_bear(per_hour: int, together: int, within: float) -> None:
    assert trickle(per_hour) == (together, within * MINUTE)
    assert room(Pace(per_hour=per_hour), [], 0, NOON).now == together


def test_the_next_letter_leaves_when_its_share_of_the_hour_is_over() -> None:
    left = room(Pace(per_hour=30), ago(1), 0, NOON)
    assert (left.now, left.opens_at) == (0, NOON + MINUTE - timedelta(seconds=6) + TICK)
    assert room(Pace(per_hour=30), ago(1), 0, left.opens_at).now == 1


def test_ten_letters_take_as_long_as_ten_turns_however_early_each_of_them_left() -> None:
    hurried = [NOON + n * timedelta(seconds=114.1) for n in range(10)]
    left = room(Pace(per_hour=30), hurried, 0, hurried[-1] + 2 * MINUTE)
    assert (left.now, left.opens_at) == (0, NOON + 20 * MINUTE + TICK)


def test_what_flies_and_what_ended_within_the_hour_takes_room() -> None:
    assert room(Pace(per_hour=240), ago(61, 4, 1), 3, NOON).now == 20 - 2 - 3
    assert room(Pace(per_hour=240), ago(*range(60, 0, -1)) * 4, 0, NOON).now == 0


def test_a_full_lane_opens_when_its_oldest_mail_leaves_the_window() -> None:
    left = room(Pace(per_hour=2), ago(50, 40), 0, NOON)
    assert left.now == 0
    assert left.opens_at == NOON + 10 * MINUTE + TICK


def test_a_lowered_cap_opens_only_when_enough_have_left_the_window() -> None:
    assert room(Pace(per_hour=2), ago(50, 40, 35, 31), 0, NOON).opens_at == NOON + 25 * MINUTE + TICK


def test_a_lane_that_is_full_of_mails_in_the_air_is_looked_at_again_soon() -> None:
    left = room(Pace(per_hour=2), [], 2, NOON)
    assert (left.now, left.opens_at) == (0, NOON + timedelta(seconds=5))


def test_the_day_has_a_cap_of_its_own() -> None:
    left = room(Pace(per_hour=30, per_day=20), [NOON - timedelta(hours=h) for h in range(23, 3, -1)], 0, NOON)
    assert left.now == 0
    assert left.opens_at == NOON + timedelta(hours=1, microseconds=1)


def test_an_office_that_opens_later_sets_the_opening() -> None:
    hours = OfficeHours.parse("08:00-18:00", "mon-fri", "America/New_York")
    left = room(Pace(per_hour=30, hours=hours), [], 0, NOON)  # 7 in the morning there
    assert left.now == 0
    assert left.opens_at == datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_a_quiet_hour_of_the_curve_lowers_the_cap_and_the_next_one_is_looked_at_by_itself() -> None:
    pace = Pace(per_hour=240, hours=OfficeHours.of("always", "all", "UTC", curve=[4] * 12 + [1] + [4] * 11))
    assert pace.per_hour_at(NOON) == 60
    assert room(pace, ago(50), 0, NOON).now == 1
    full = [NOON + n * MINUTE / 2 for n in range(2, 62)]
    left = room(pace, full, 0, NOON + 31 * MINUTE)
    assert (left.now, left.opens_at) == (0, NOON + HOUR), "not a minute later, as the hour would have it"


@given(
    caps=st.lists(st.integers(1, 8) | st.integers(61, 150), min_size=1, max_size=4),
    waits=st.lists(st.integers(0, 20) | st.integers(0, 900), min_size=5, max_size=60),
    lasts=st.lists(st.integers(0, 120), min_size=60, max_size=60),
    begin=st.sampled_from([NOON, datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 11, 1, 4, tzinfo=UTC)]),
    curve=st.none() | st.lists(st.integers(0, 3), min_size=24, max_size=24).filter(any),
)
def test_c14_no_sixty_minutes_on_the_wire_ever_hold_more_than_the_cap(
    caps: list[int], waits: list[int], lasts: list[int], begin: datetime, curve: list[int] | None
) -> None:
    """A mail is granted, leaves at any moment of its flight, and lands; the cap must hold for the leaving.

    Caps change on the way, clocks are changed, hours of the day weigh differently: no hour, wherever it begins,
    holds more than the cap under which the last of its mails was granted.
    """
    now, landings, left = begin, list[datetime](), list[tuple[datetime, int]]()
    hours = OfficeHours.of("always", "all", "America/New_York", curve=curve)
    for n, wait in enumerate(waits):
        now += timedelta(seconds=wait)
        pace = Pace(per_hour=caps[n * len(caps) // len(waits)], hours=hours)
        ended = sorted(at for at in landings if now - DAY <= at <= now)
        flying = sum(1 for at in landings if at > now)
        for _ in range(room(pace, ended, flying, now).now):
            lands = now + timedelta(seconds=lasts[n])
            landings.append(lands)
            # The two extremes: it left the moment it was granted, or the moment before it landed.
            left.append((now if n % 2 else lands, pace.per_hour_at(now) or 0))
    for start in {at for at, _ in left}:
        within = [cap for at, cap in left if start <= at <= start + HOUR]
        assert len(within) <= within[-1]


@given(per_hour=st.integers(1, 500), minutes=st.integers(61, 200))
def test_a_waiting_crowd_leaves_evenly_and_the_cap_is_used(per_hour: int, minutes: int) -> None:
    """Landing at once and asked whenever the lane says so: no five minutes hold more than their share."""
    now, landed = NOON, list[datetime]()
    end = NOON + minutes * MINUTE
    while now <= end:
        left = room(Pace(per_hour=per_hour), landed, 0, now)
        landed += [now] * left.now
        assert left.now or left.opens_at > now
        now = max(left.opens_at, now + TICK)
    for together, span in [*trickling(per_hour), (per_hour, HOUR)]:
        assert all(sum(1 for at in landed if begin <= at <= begin + span) <= together for begin in set(landed))
    assert sum(1 for at in landed if at < NOON + HOUR) == per_hour


@pytest.mark.parametrize(("per_hour", "least"), [(5, 49), (30, 297), (60, 590), (120, 1190)])
def test_a_lane_that_is_looked_at_late_still_comes_to_its_cap(per_hour: int, least: int) -> None:
    """Each look comes three seconds after there is room, each mail flies for half a second; ten hours of it."""
    now, landed = NOON, list[datetime]()
    while now < NOON + 10 * HOUR:
        left = room(Pace(per_hour=per_hour), landed, 0, now)
        landed += [now + timedelta(seconds=0.5)] * left.now
        now = max(left.opens_at, now + timedelta(seconds=1)) + timedelta(seconds=3)
    assert len(landed) >= least
    left_at = [at - timedelta(seconds=0.5) for at in landed]
    assert all(sum(1 for at in left_at if begin <= at <= begin + HOUR) <= per_hour for begin in left_at)


# ---- fair shares ----------------------------------------------------------------------------------------------------


def test_places_go_to_whoever_had_least_lately() -> None:
    assert fair_shares({7: 5, 8: 2}, 3) == {7: 0, 8: 3}
    assert fair_shares({7: 5, 8: 2}, 5) == {7: 1, 8: 4}
    assert fair_shares({7: 0, 8: 0}, 3) == {7: 2, 8: 1}
    assert fair_shares({}, 3) == {}


@given(st.dictionaries(st.integers(1, 5), st.integers(0, 20), min_size=1), st.integers(0, 100))
def test_every_place_is_given_and_nobody_with_more_gets_more(recent: dict[int, int], places: int) -> None:
    shares = fair_shares(recent, places)
    assert sum(shares.values()) == places
    got = [recent[key] + share for key, share in shares.items() if share]
    assert not got or max(got) - 1 <= min(recent[key] + shares[key] for key in recent)


# ---- budgets --------------------------------------------------------------------------------------------------------


def test_a_budget_gives_at_most_a_minutes_worth_at_once() -> None:
    first = spend(Pace(per_hour=6000), None, None, 500, NOON)
    assert first.n == 100
    again = spend(Pace(per_hour=6000), first.hour_next, None, 500, NOON)
    assert again.n == 0
    assert NOON < again.opens_at < NOON + timedelta(seconds=1)
    assert spend(Pace(per_hour=6000), first.hour_next, None, 500, again.opens_at).n == 1


def test_a_small_budget_gives_one_at_a_time() -> None:
    first = spend(Pace(per_hour=30), None, None, 5, NOON)
    assert first.n == 1
    assert first.opens_at == NOON + 2 * MINUTE + TICK


def test_what_is_not_wanted_is_not_spent() -> None:
    assert spend(Pace(per_hour=30), NOON, None, 0, NOON).hour_next == NOON


def test_a_raised_budget_holds_at_once() -> None:
    slow = spend(Pace(per_hour=1), None, None, 1, NOON)
    raised = spend(Pace(per_hour=60), slow.hour_next, None, 1, NOON)
    assert (raised.n, raised.opens_at) == (0, NOON + MINUTE + TICK)
    assert spend(Pace(per_hour=60), raised.hour_next, None, 1, raised.opens_at).n == 1


def test_a_closed_budget_gives_nothing_and_says_when_it_opens() -> None:
    hours = OfficeHours.parse("14:00-18:00", "all", "UTC")
    spent = spend(Pace(per_hour=60, hours=hours), None, None, 5, NOON)
    assert (spent.n, spent.opens_at) == (0, NOON + 2 * HOUR)


def test_a_days_budget_is_spread_over_its_open_hours() -> None:
    hours = OfficeHours.parse("08:00-18:00", "all", "UTC")
    spent = spend(Pace(per_day=300, hours=hours), None, None, 5, NOON)
    assert (spent.n, spent.opens_at) == (1, NOON + 2 * MINUTE + TICK)


def test_a_quiet_hour_of_the_curve_slows_the_budget() -> None:
    pace = Pace(per_hour=60, hours=OfficeHours.of("always", "all", "UTC", curve=[2] * 12 + [1] * 12))
    assert spend(pace, None, None, 5, NOON).opens_at == NOON + 2 * MINUTE + TICK


@given(
    caps=st.lists(st.integers(1, 9000), min_size=1, max_size=3),
    asks=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300)), min_size=1, max_size=60),
)
def test_no_hour_holds_more_than_the_largest_cap_and_a_minute(caps: list[int], asks: list[tuple[int, int]]) -> None:
    now, state, left = NOON, None, list[tuple[datetime, int]]()
    for n, (wait, want) in enumerate(asks):
        now += timedelta(seconds=wait)
        spent = spend(Pace(per_hour=caps[n * len(caps) // len(asks)]), state, None, want, now)
        assert 0 <= spent.n <= want
        state = spent.hour_next
        left.append((now, spent.n))
    most = max(caps) + max(1, max(caps) // 60)
    for begin, _ in left:
        assert sum(n for at, n in left if begin <= at < begin + HOUR) <= most
