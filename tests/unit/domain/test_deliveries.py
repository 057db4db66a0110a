"""The states of a delivery and the moves between them."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.domain.deliveries import ENDED, NEXT, UNSENT, EventState, State, called_off, climbs, retry_delay


def test_every_state_has_its_moves() -> None:
    assert set(NEXT) == set(State)


def test_what_may_have_left_is_never_queued_without_authority() -> None:
    """Only a doubt that was settled, a dead one tried again, or a definite "not now" leads back to the queue."""
    back = {state for state, moves in NEXT.items() if State.QUEUED in moves}
    assert back == {State.HELD, State.CLAIMED, State.SENDING, State.IN_DOUBT, State.DEAD}


def test_nothing_leaves_without_a_committed_intent() -> None:
    assert [state for state, moves in NEXT.items() if State.SENDING in moves] == [State.CLAIMED]


@pytest.mark.parametrize("state", UNSENT)
def test_what_has_not_left_can_be_called_off(state: State) -> None:
    assert {State.CANCELLED, State.SUPPRESSED, State.GIVEN_UP} <= NEXT[state]


def test_accepted_is_the_end() -> None:
    assert NEXT[State.ACCEPTED] == frozenset()
    assert State.ACCEPTED in ENDED


def test_a_mail_that_may_have_left_is_given_up_and_never_called_unsent() -> None:
    assert called_off(State.CANCELLED, maybe_sent=True) is State.GIVEN_UP
    assert called_off(State.SUPPRESSED, maybe_sent=False) is State.SUPPRESSED


def test_reports_in_any_order_end_in_the_same_state() -> None:
    ends = set()
    for order in permutations(
        [EventState.PROCESSED, EventState.DEFERRED, EventState.DELIVERED, EventState.BOUNCED, EventState.COMPLAINED]
    ):
        current: EventState | None = None
        for report in order:
            current = report if climbs(current, report) else current
        ends.add(current)
    assert ends == {EventState.COMPLAINED}


@given(attempts=st.integers(0, 100), draw=st.floats(0, 0.999), base=st.floats(0.1, 60))
def test_a_retry_waits_longer_and_never_more_than_4000_seconds(attempts: int, draw: float, base: float) -> None:
    delay = retry_delay(attempts, base=timedelta(seconds=base), draw=draw)
    assert timedelta(0) < delay <= timedelta(seconds=4000)
    assert retry_delay(attempts + 1, base=timedelta(seconds=base), draw=draw) >= delay
