"""Forecasts: exact where the calendar is, monotonic everywhere, and right about a simulated month."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach.domain.courses import Left
from outreach.domain.forecast import Finish, Limit, Line, Rival, lane_ends, wave_ends
from outreach.domain.pacing import DAY, HOUR, OfficeHours, Pace, room

from .simulation import run, scenario

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"
NEVER = datetime.max.replace(tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def office(zone: str = "UTC", **more: object) -> OfficeHours:
    found = OfficeHours.of("08:00-18:00", "mon-fri", zone, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def soonest(pace: Pace, n: int, begins: datetime = MONDAY, **more: object) -> datetime:
    low = lane_ends(Line(pace, n, begins, **more)).low  # type: ignore[arg-type]
    assert low is not None
    return low


@pytest.mark.parametrize(
    ("letters", "gone"),
    [
        (1, datetime(2026, 3, 2, 8, tzinfo=UTC)),
        (2, datetime(2026, 3, 2, 8, 2, tzinfo=UTC)),
        (300, datetime(2026, 3, 2, 17, 58, tzinfo=UTC)),
        (301, datetime(2026, 3, 3, 8, tzinfo=UTC)),
        (1500, datetime(2026, 3, 6, 17, 58, tzinfo=UTC)),
        (1501, datetime(2026, 3, 9, 8, tzinfo=UTC)),  # over the weekend
        (10_000, datetime(2026, 4, 16, 11, 18, tzinfo=UTC)),
    ],
)
def test_letters_at_thirty_an_hour_end_on_the_day_and_minute_that_counting_gives(letters: int, gone: datetime) -> None:
    assert soonest(Pace(30, 300, office()), letters) == gone


def test_a_lone_letter_leaves_when_the_office_opens() -> None:
    saturday = datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert soonest(Pace(30, 300, office(NEW_YORK)), 1, saturday) == datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_holidays_are_passed_over() -> None:
    pace = Pace(30, 300, office(closed=frozenset({date(2026, 3, 3), date(2026, 3, 4)})))
    assert soonest(pace, 301) == datetime(2026, 3, 5, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("begins", "gone"),
    [
        # Clocks go forward in New York on Sunday 8 March: Monday opens at 12:00 UTC, Friday had opened at 13:00.
        (datetime(2026, 3, 6, 13, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC)),
        # And back on Sunday 1 November.
        (datetime(2026, 10, 30, 12, tzinfo=UTC), datetime(2026, 11, 2, 13, tzinfo=UTC)),
    ],
)
def test_the_office_opens_by_its_own_clock_when_clocks_are_changed(begins: datetime, gone: datetime) -> None:
    assert soonest(Pace(30, None, office(NEW_YORK)), 301, begins) == gone


@pytest.mark.parametrize(
    ("begins", "hours_open"),
    [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)],
)
def test_a_day_that_is_open_all_day_has_the_hours_its_clocks_give_it(begins: datetime, hours_open: int) -> None:
    sundays = Pace(60, None, OfficeHours.of("always", "sun", BERLIN))
    last_of_the_day = begins + hours_open * HOUR - timedelta(minutes=1)
    assert soonest(sundays, 60 * hours_open, begins) == last_of_the_day
    assert soonest(sundays, 60 * hours_open + 1, begins) > last_of_the_day + 5 * DAY


def test_a_cap_for_the_day_is_a_window_that_slides() -> None:
    pace = Pace(30, 100)
    assert soonest(pace, 100) == MONDAY + 99 * timedelta(minutes=2)
    assert soonest(pace, 101) == MONDAY + DAY
    assert soonest(pace, 201) == MONDAY + 2 * DAY


def test_what_left_yesterday_takes_room_today() -> None:
    pace, left = Pace(30, 100), (Left(MONDAY - 20 * HOUR, 100),)
    assert soonest(pace, 1, left=left) == MONDAY + 4 * HOUR
    assert soonest(pace, 1, left=(Left(MONDAY - 20 * HOUR, 99),)) == MONDAY


def test_a_busy_hour_lets_more_go_than_a_quiet_one() -> None:
    curve = [0] * 8 + [1] + [3] * 9 + [0] * 6
    pace = Pace(30, None, office(curve=curve))
    assert soonest(pace, 10) == MONDAY + timedelta(minutes=54)
    assert soonest(pace, 11) == MONDAY + HOUR


def test_a_rival_takes_every_other_turn() -> None:
    pace = Pace(30)
    alone, shared = soonest(pace, 100), soonest(pace, 100, rivals=(Rival(1000),))
    assert timedelta(hours=6, minutes=30) <= shared - MONDAY <= timedelta(hours=6, minutes=40)
    assert alone - MONDAY == 99 * timedelta(minutes=2)


def test_what_comes_anew_only_moves_the_late_end() -> None:
    line = Line(Pace(10, None, office()), 100, MONDAY)
    busy = Line(line.pace, 100, MONDAY, rivals=(Rival(0, per_day=40.0),))
    assert lane_ends(busy).low == lane_ends(line).low
    assert _high(lane_ends(busy)) > _high(lane_ends(line)) + 3 * HOUR


def test_older_letters_of_the_same_campaign_go_first() -> None:
    assert lane_ends(Line(Pace(30), 1, MONDAY, ahead=30)).start == MONDAY + HOUR


def test_a_waves_own_hours_and_the_offices_must_both_be_open() -> None:
    mornings = OfficeHours.of("06:00-10:00", "all", "UTC")
    assert soonest(Pace(30, None, office()), 61, also=mornings) == MONDAY + DAY


def test_offices_that_are_never_open_together_never_end() -> None:
    nights = OfficeHours.of("20:00-22:00", "all", "UTC")
    assert lane_ends(Line(Pace(30, None, office()), 1, MONDAY, also=nights)) == Finish(None, None, None)


def test_a_wave_ends_with_its_slowest_lane() -> None:
    slow, fast = Line(Pace(1), 50, MONDAY), Line(Pace(100), 500, MONDAY)
    assert wave_ends([slow, fast]) == lane_ends(slow)
    assert wave_ends([]) == Finish(None, None, None)


def test_a_budget_holds_back_lanes_that_could_do_more() -> None:
    lanes = [Line(Pace(30, None, office()), 60, MONDAY) for _ in range(10)]
    free, held = wave_ends(lanes), wave_ends(lanes, [Limit(Pace(60), MONDAY)])
    assert _low(free) < MONDAY + 2 * HOUR
    assert timedelta(hours=8) <= _low(held) - MONDAY <= timedelta(hours=10)  # 600 letters at 60 an hour
    assert MONDAY + 10 * HOUR <= _high(held) <= MONDAY + 35 * HOUR


def test_a_budget_does_not_save_up_the_nights() -> None:
    lanes = [Line(Pace(100, None, office()), 1200, MONDAY)]
    held = wave_ends(lanes, [Limit(Pace(60), MONDAY)])
    assert _low(held) > MONDAY + DAY  # 600 letters a day, although the budget alone would be done in twenty hours


def test_a_domains_budget_holds_back_its_own_lanes_and_no_others() -> None:
    held = [Line(Pace(60), 60, MONDAY, domain="city.example.org") for _ in range(4)]
    free = [Line(Pace(60), 60, MONDAY, domain="state.example.org") for _ in range(4)]
    limit = Limit(Pace(20), MONDAY, domain="city.example.org")
    assert wave_ends(free, [limit]) == wave_ends(free)
    assert timedelta(hours=11) <= _low(wave_ends([*held, *free], [limit])) - MONDAY <= timedelta(hours=12)


def test_in_a_day_of_many_paces_no_letter_leaves_before_the_low_end() -> None:
    """Letter by letter by the rules, with nothing in the way: what a forecast calls soonest is no later."""
    curve = [0] * 8 + [2, 3, 4, 4, 3, 4, 4, 3, 2, 1] + [0] * 6
    for cap in (2, 3, 5, 10):
        pace, now, ended = Pace(cap, cap * 8, office(curve=curve)), MONDAY, list[datetime]()
        for n in range(60):
            while not (left := room(pace, ended, 0, now)).now:
                now = left.opens_at
            ended.append(now)
            assert soonest(pace, n + 1) <= now + timedelta(minutes=1)  # for a trickle may hurry by some seconds


_PACES = st.builds(
    Pace,
    st.integers(1, 200),
    st.none() | st.integers(5, 2000),
    st.sampled_from([None, office(), office(NEW_YORK), OfficeHours.of("22:00-24:00", "sun", BERLIN)]),
)
_BEGINS = st.integers(0, 366 * 1440).map(lambda minute: MONDAY + timedelta(minutes=minute))


@settings(max_examples=60, deadline=None)
@given(pace=_PACES, begins=_BEGINS, n=st.integers(1, 3000), more=st.integers(1, 500))
def test_more_letters_never_end_earlier(pace: Pace, begins: datetime, n: int, more: int) -> None:
    few, many = lane_ends(Line(pace, n, begins)), lane_ends(Line(pace, n + more, begins))
    assert _low(few) <= _low(many)
    assert _high(few) <= _high(many)
    assert begins <= _low(few) <= _high(few)


@settings(max_examples=60, deadline=None)
@given(pace=_PACES, begins=_BEGINS, n=st.integers(1, 3000), more=st.integers(1, 100))
def test_a_higher_cap_never_ends_later(pace: Pace, begins: datetime, n: int, more: int) -> None:
    assert pace.per_hour is not None
    raised = Pace(pace.per_hour + more, pace.per_day and pace.per_day + more, pace.hours)
    assert _low(lane_ends(Line(raised, n, begins))) <= _low(lane_ends(Line(pace, n, begins)))


def test_in_ninety_five_of_a_hundred_months_the_wave_ends_within_its_forecast() -> None:
    """A hundred lanes and up to a month each; and the range is narrow enough to be of use."""
    inside, widths = 0, []
    for seed in range(100):
        month = scenario(seed)
        foreseen = wave_ends(month.lines(), month.limits())
        ended = run(month)
        inside += _low(foreseen) <= ended <= _high(foreseen)
        widths.append((_high(foreseen) - _low(foreseen)) / max((ended - month.begins) / 4, DAY))
    assert inside >= 95
    assert sorted(widths)[50] <= 1.0


def _low(finish: Finish) -> datetime:
    return finish.low or NEVER


def _high(finish: Finish) -> datetime:
    return finish.high or NEVER
