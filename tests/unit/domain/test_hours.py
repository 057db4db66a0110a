"""Office hours: nobody's office outside them, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.hours import OfficeHours, first_instant

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONES = ["UTC", "America/New_York", "Europe/Bucharest", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]
moments = st.integers(0, 4 * 365 * 86_400).map(lambda s: NOON + timedelta(seconds=s))
curves = st.lists(st.integers(0, 3), min_size=24, max_size=24).filter(any)
spans = st.sampled_from(["always", "08:00-18:00", "00:30-02:15", "02:30-03:30", "03:15-03:45", "22:00-24:00"])


def office(hours: str, days: str, zone: str, *closed: date, curve: list[int] | None = None) -> OfficeHours:
    found = OfficeHours.of(hours, days, zone, closed=frozenset(closed), curve=curve)
    assert found is not None
    return found


@given(moment=moments, zone=st.sampled_from(ZONES), hours=spans, days=st.sampled_from(["mon-fri", "sun", "sat,sun"]))
def test_the_next_opening_is_open_and_nothing_before_it_is(moment: datetime, zone: str, hours: str, days: str) -> None:
    opening = (place := OfficeHours.parse(hours, days, zone)).next_opening(moment)
    assert place.is_open(opening)
    assert opening >= moment
    for share in range(1, 40):
        assert opening == moment or not place.is_open(moment + (opening - moment) * share / 40.01)


@given(curve=curves, zone=st.sampled_from(ZONES), hours=spans, seconds=st.integers(-7_200, 7_200))
def test_on_the_days_clocks_are_changed_nothing_open_is_passed_over(
    curve: list[int], zone: str, hours: str, seconds: int
) -> None:
    for changed in (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 4, 4, 15, tzinfo=UTC)):
        moment = changed + timedelta(seconds=seconds)
        place = office(hours, "all", zone, curve=curve)
        opening = place.next_opening(moment)
        minutes = min(int((opening - moment) / timedelta(minutes=1)), 300)
        assert not any(place.is_open(moment + timedelta(minutes=m)) for m in range(minutes))


def test_in_the_spring_gap_the_office_opens_at_the_first_instant_after_it() -> None:
    zone = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 3, 8), time(2, 30), zone) == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_in_the_autumn_overlap_the_first_of_the_two_instants_counts() -> None:
    zone = ZoneInfo("America/New_York")
    assert first_instant(date(2026, 11, 1), time(1, 30), zone) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_half_an_hour_of_gap_is_a_gap() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    assert first_instant(date(2026, 10, 4), time(2, 15), zone) == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)


def test_an_hour_that_happens_twice_is_open_twice() -> None:
    place = office("03:15-03:45", "all", "Europe/Bucharest")
    first = datetime(2026, 10, 25, 0, 15, tzinfo=UTC)  # 03:15, before clocks go from 04:00 back to 03:00
    assert place.is_open(first)
    assert place.next_opening(first + timedelta(minutes=40)) == first + timedelta(hours=1)


def test_a_holiday_is_closed_in_the_offices_own_dates() -> None:
    place = office("08:00-18:00", "mon-fri", "Asia/Tokyo", date(2026, 3, 2))
    assert place.next_opening(datetime(2026, 3, 1, 23, 30, tzinfo=UTC)) == datetime(2026, 3, 2, 23, tzinfo=UTC)


def test_a_year_of_holidays_ends_in_a_look_later_and_not_in_an_error() -> None:
    always_closed = [date(2026, 1, 1) + timedelta(days=n) for n in range(900)]
    assert office("always", "all", "UTC", *always_closed).next_opening(NOON) > NOON + timedelta(days=365)


def test_an_hour_without_weight_is_closed() -> None:
    place = office("08:00-18:00", "all", "UTC", curve=[0] * 14 + [1] * 10)
    assert not place.is_open(NOON)
    assert place.next_opening(NOON) == NOON + timedelta(hours=2)


def test_a_weight_is_a_share_of_the_largest() -> None:
    place = office("always", "all", "UTC", curve=[4] * 12 + [1] * 12)
    assert (place.share(NOON), place.share(NOON - timedelta(hours=1))) == (0.25, 1.0)


@pytest.mark.parametrize(
    ("hours", "curve", "open_for"),
    [
        ("always", None, 24),
        ("08:00-18:00", None, 10),
        ("08:30-18:00", [0] * 12 + [1] * 12, 6),
        ("always", [2] * 24, 24),
    ],
)
def test_how_long_an_office_is_open_a_day(hours: str, curve: list[int] | None, open_for: float) -> None:
    assert office(hours, "mon-fri", "UTC", curve=curve).open_span() == timedelta(hours=open_for)


def test_what_is_always_open_has_no_hours_to_look_at() -> None:
    assert OfficeHours.of("always", "all", "UTC") is None
    assert OfficeHours.of(None, "all", "UTC", curve=None) is None


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
