"""When a step is due, and when it is not sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.ladders import Conditions, Signer, Trigger, Wait, why_not

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SIGNER = Signer(
    is_confirmed=True,
    is_withdrawn=False,
    is_suspect=False,
    has_shared=False,
    was_answered=False,
    agreed=True,
    mails_this_week=0,
)


def test_a_step_waits_its_while() -> None:
    assert Wait(14 * 86_400).due(NOON) == NOON + timedelta(days=14)


def test_a_step_with_a_time_of_day_is_due_at_the_next_such_time_in_its_zone() -> None:
    evening = Wait(0, time(18, 30), "America/New_York")

    assert evening.due(NOON) == datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    assert evening.due(NOON + timedelta(hours=12)) == datetime(2026, 3, 3, 23, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_jump_over_is_the_first_one_after() -> None:
    night = Wait(0, time(2, 30), "Europe/Bucharest")  # clocks jump from 03:00 to 04:00 on 29 March 2026

    assert Wait(0, time(3, 30), "Europe/Bucharest").due(datetime(2026, 3, 29, 0, 45, tzinfo=UTC)) == datetime(
        2026, 3, 29, 1, 0, tzinfo=UTC
    )
    assert night.due(datetime(2026, 3, 29, 0, 0, tzinfo=UTC)) == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 (hypothesis wants its bounds so)
    st.integers(0, 30 * 86_400),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Europe/Bucharest"]),
)
def test_a_step_is_never_due_before_its_wait_is_over_nor_a_day_after(
    since: datetime, seconds: int, at: time, zone: str
) -> None:
    since = since.replace(tzinfo=UTC)
    due = Wait(seconds, at, zone).due(since)

    assert timedelta(0) <= due - since - timedelta(seconds=seconds) <= timedelta(hours=25)


@pytest.mark.parametrize(
    ("trigger", "conditions", "change", "reason"),
    [
        (Trigger.CONFIRMED, {}, {}, ""),
        (Trigger.CONFIRMED, {}, {"is_withdrawn": True}, "withdrawn"),
        (Trigger.CONFIRMED, {}, {"is_suspect": True}, "suspect"),
        (Trigger.CONFIRMED, {}, {"is_confirmed": False}, "not confirmed"),
        (Trigger.SIGNED, {}, {}, "confirmed meanwhile"),
        (Trigger.SIGNED, {}, {"is_confirmed": False}, ""),
        (Trigger.NOT_SHARED, {}, {"has_shared": True}, "shared meanwhile"),
        (Trigger.CONFIRMED, {"not_shared": True}, {"has_shared": True}, "shared meanwhile"),
        (Trigger.LETTER_ACCEPTED, {"not_answered": True}, {"was_answered": True}, "answered meanwhile"),
        (Trigger.LETTER_ACCEPTED, {}, {"was_answered": True}, ""),
        (Trigger.CONFIRMED, {}, {"agreed": False}, "no consent"),
        (Trigger.CONFIRMED, {}, {"mails_this_week": 3}, "week"),
    ],
)
def test_a_step_that_means_nothing_any_more_is_not_sent(
    trigger: Trigger, conditions: dict[str, bool], change: dict[str, bool], reason: str
) -> None:
    signer = replace(SIGNER, **change)  # type: ignore[arg-type]

    assert why_not(trigger, Conditions.from_json(conditions), signer, mails_per_week=3, reminders=2) == reason


def test_a_condition_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="not_replied"):
        Conditions.from_json({"not_replied": True})
