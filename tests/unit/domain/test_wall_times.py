"""Wall times: a year has an hour that does not exist and one that comes twice, and an organizer is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from outreach.domain.wall_times import WallTime


def test_a_plain_time_is_what_the_clock_shows_and_nothing_is_said() -> None:
    read = WallTime.read("2026-11-27 09:00", "America/New_York")
    assert read.at == datetime(2026, 11, 27, 14, tzinfo=UTC)
    assert read.said == ""


@pytest.mark.parametrize(
    ("text", "zone", "at", "becomes"),
    [
        ("2026-03-29 03:30", "Europe/Bucharest", "2026-03-29T01:00", "04:00"),
        ("2026-03-08 02:30", "America/New_York", "2026-03-08T07:00", "03:00"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "2026-10-03T15:30", "02:30"),
    ],
)
def test_fault_f31_a_time_the_clocks_jump_over_is_the_first_after_the_jump_and_that_is_said(
    text: str, zone: str, at: str, becomes: str
) -> None:
    read = WallTime.read(text, zone)
    assert read.at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert "does not exist" in read.said
    assert becomes in read.said
    assert zone in read.said


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-10-25 03:30", "Europe/Bucharest", "2026-10-25T00:30"),
        ("2026-11-01 01:30", "America/New_York", "2026-11-01T05:30"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-04T14:45"),
    ],
)
def test_fault_f31_a_time_that_comes_twice_is_the_first_of_the_two_and_that_is_said(
    text: str, zone: str, at: str
) -> None:
    read = WallTime.read(text, zone)
    assert read.at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert "comes twice" in read.said


@pytest.mark.parametrize("zone", ["Europe/Bucharest", "America/New_York", "Australia/Lord_Howe"])
def test_fault_f31_over_five_years_every_half_hour_has_one_instant_and_silence_means_the_clock_shows_it(
    zone: str,
) -> None:
    wall, clock = datetime.fromisoformat("2025-01-01"), ZoneInfo(zone)
    last = datetime(2024, 1, 1, tzinfo=UTC)
    said = 0
    while wall.year < 2030:
        read = WallTime.read(f"{wall:%Y-%m-%d %H:%M}", zone)
        assert read.at >= last
        shows = read.at.astimezone(clock).replace(tzinfo=None) == wall
        assert shows == ("does not exist" not in read.said)
        said += bool(read.said)
        last, wall = read.at, wall + timedelta(minutes=30)
    # Five springs and five autumns, of two half hours each; on Lord Howe the clocks move by half an hour only.
    assert said == (10 if zone == "Australia/Lord_Howe" else 20)


@pytest.mark.parametrize(
    "text", ["tomorrow", "2026-13-01 09:00", "2026-11-27", "27.11.2026 09:00", "2026-11-27 25:00", ""]
)
def test_what_is_no_date_and_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the caller says it in its own words)
        WallTime.read(text, "UTC")
