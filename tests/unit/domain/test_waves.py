"""Waves: which moves there are, and when a wave must stop by itself."""

from __future__ import annotations

import pytest

from outreach.domain.audiences import Audience
from outreach.domain.waves import NEXT, OVER, Phase, Tally, WaveState, next_phase
from outreach.errors import BadInput


def test_every_state_can_still_be_called_off_until_it_is_over() -> None:
    for state, nexts in NEXT.items():
        assert (WaveState.CANCELLED in nexts) == (state not in OVER)


def test_nothing_sends_without_having_been_started() -> None:
    assert WaveState.SENDING not in NEXT[WaveState.DRAFT]


@pytest.mark.parametrize(
    ("tally", "phase", "stops"),
    [
        (Tally(left=300, accepted=300, hard_bounces=6), Phase.FULL, False),
        (Tally(left=300, accepted=300, hard_bounces=7), Phase.FULL, True),
        (Tally(left=100, accepted=100, hard_bounces=9), Phase.FULL, False),  # too few to judge by
        (Tally(left=20, accepted=20, hard_bounces=2), Phase.CANARY, False),
        (Tally(left=20, accepted=20, hard_bounces=3), Phase.CANARY, True),
        (Tally(left=150, accepted=150, hard_bounces=4), Phase.RAMP, True),
        (Tally(left=1001, accepted=1001, complaints=1), Phase.FULL, False),
        (Tally(left=1000, accepted=1000, complaints=1), Phase.FULL, True),
        (Tally(left=199, accepted=199, complaints=5), Phase.FULL, False),
        (Tally(left=20, accepted=19, failed=1), Phase.FULL, False),
        (Tally(left=20, accepted=18, failed=2), Phase.FULL, True),
        (Tally(left=19, failed=19), Phase.FULL, False),
    ],
)
def test_c19_a_wave_stops_on_hard_bounces_complaints_and_failures(tally: Tally, phase: Phase, stops: bool) -> None:
    assert bool(tally.verdict(phase)) == stops


def test_what_a_person_let_pass_is_not_held_against_the_wave_again() -> None:
    before = Tally(left=300, accepted=300, hard_bounces=30)
    after = Tally(left=550, accepted=550, hard_bounces=31)
    assert after.verdict(Phase.FULL)
    assert not after.since(before.as_json()).verdict(Phase.FULL)


def test_a_wave_grows_from_canary_to_ramp_to_all() -> None:
    assert next_phase(Phase.CANARY, 20) == (Phase.RAMP, 200)
    assert next_phase(Phase.RAMP, 20) == (Phase.FULL, None)


@pytest.mark.parametrize(
    "audience",
    [
        Audience(),
        Audience(place="Springfield", own_words=False),
        Audience(place="9072", language="de", source="tenants", own_words=True, since_last_wave=True),
    ],
)
def test_an_audience_comes_back_from_json_as_it_was(audience: Audience) -> None:
    assert Audience.from_json(audience.to_json()) == audience


def test_an_audience_is_said_in_words() -> None:
    assert Audience().words() == "everyone who confirmed"
    assert Audience(place="9072", own_words=True).words() == (
        "everyone who confirmed, with a postal code from 9072, with own words"
    )


def test_an_audience_with_a_part_nobody_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="religion"):
        Audience.from_json({"religion": "any"})
