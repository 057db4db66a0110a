"""Pacing: no sixty minutes with more than the cap, and nobody's office outside its hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.pacing import DAY, HOUR, UNLIMITED, OfficeHours, Pace, first_instant, room

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_lane_without_caps_has_room_for_any_batch() -> None:
    assert room(Pace(), [], 0, NOON).now == UNLIMITED


def test_what_flies_and_what_ended_within_the_hour_takes_room() -> None:
    ended = [NOON - timedelta(minutes=61), NOON - timedelta(minutes=59), NOON - timedelta(minutes=1)]
    assert room(Pace(per_hour=10), ended, 3, NOON).now == 5


def test_a_full_lane_opens_when_its_oldest_mail_leaves_the_window() -> None:
    ended = [NOON - timedelta(minutes=50), NOON - timedelta(minutes=10)]
    left = room(Pace(per_hour=2), ended, 0, NOON)
    assert left.now == 0
    assert left.opens_at == NOON + timedelta(minutes=10, microseconds=1)


def test_a_lowered_cap_opens_only_when_enough_have_left_the_window() -> None:
    ended = [NOON - timedelta(minutes=m) for m in (50, 40, 30, 20)]
    assert room(Pace(per_hour=2), ended, 0, NOON).opens_at == NOON + timedelta(minutes=30, microseconds=1)


def test_a_lane_that_is_full_of_mails_in_the_air_is_looked_at_again_soon() -> None:
    left = room(Pace(per_hour=2), [], 2, NOON)
    assert (left.now, left.opens_at) == (0, NOON + timedelta(seconds=5))


def test_the_day_has_a_cap_of_its_own() -> None:
    ended = [NOON - timedelta(hours=h) for h in range(23, 3, -1)]
    left = room(Pace(per_hour=30, per_day=20), ended, 0, NOON)
    assert left.now == 0
    assert left.opens_at == NOON + timedelta(hours=1, microseconds=1)


def test_an_office_that_opens_later_sets_the_opening() -> None:
    hours = OfficeHours.parse("08:00-18:00", "mon-fri", "America/New_York")
    left = room(Pace(per_hour=30, hours=hours), [], 0, NOON)  # 7 in the morning there
    assert left.now == 0
    assert left.opens_at == datetime(2026, 3, 2, 13, tzinfo=UTC)


@given(
    cap=st.integers(1, 5),
    waits=st.lists(st.integers(0, 1500), min_size=5, max_size=60),
    lasts=st.lists(st.integers(0, 120), min_size=60, max_size=60),
)
def test_no_hour_on_the_wire_ever_holds_more_than_the_cap(cap: int, waits: list[int], lasts: list[int]) -> None:
    """A mail is granted, leaves at any moment of its flight, and lands; the cap must hold for the leaving."""
    now, flights, left = NOON, [], []  # flights: (landed at)
    for n, wait in enumerate(waits):
        now += timedelta(seconds=wait)
        ended = sorted(at for at in flights if now - DAY <= at <= now)
        flying = sum(1 for at in flights if at > now)
        if room(Pace(per_hour=cap), ended, flying, now).now > 0:
            lands = now + timedelta(seconds=lasts[n])
            flights.append(lands)
            # The two extremes: it left the moment it was granted, or the moment before it landed.
            left.append(now if n % 2 else lands)
    left.sort()
    for begin in left:
        assert sum(1 for at in left if begin <= at <= begin + HOUR) <= cap


@given(
    moment=st.integers(0, 4 * 365 * 86_400).map(lambda s: NOON + timedelta(seconds=s)),
    zone=st.sampled_from(["UTC", "America/New_York", "Europe/Bucharest", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    hours=st.sampled_from(["always", "08:00-18:00", "00:30-02:15", "22:00-24:00"]),
    days=st.sampled_from(["all", "mon-fri", "sun", "sat,sun"]),
)
def test_the_next_opening_is_open_and_nothing_before_it_is(moment: datetime, zone: str, hours: str, days: str) -> None:
    office = OfficeHours.parse(hours, days, zone)
    opening = office.next_opening(moment)
    assert office.is_open(opening)
    assert opening >= moment
    if opening > moment:
        assert not office.is_open(opening - timedelta(seconds=1))


def test_in_the_spring_gap_the_office_opens_at_the_first_instant_after_it() -> None:
    zone = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 3, 8), time(2, 30), zone) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_in_the_autumn_overlap_the_first_of_the_two_instants_counts() -> None:
    zone = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 11, 1), time(1, 30), zone) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_half_an_hour_of_gap_is_a_gap() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    assert first_instant(date(2026, 10, 4), time(2, 15), zone) == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "days", "zone"),
    [
        ("18:00-08:00", "all", "UTC"),
        ("8-18", "all", "UTC"),
        ("always", "monday", "UTC"),
        ("always", "all", "Mars/Base"),
    ],
)
def test_unreadable_hours_are_refused(hours: str, days: str, zone: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        OfficeHours.parse(hours, days, zone)
