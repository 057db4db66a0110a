"""Where a round ends: so many mails by themselves, or one full request of straight ones."""

from __future__ import annotations

from datetime import datetime

import pytest

from outreach.domain.messages import Message
from outreach.sending.parcels import CannotWrite, Parcel
from outreach.sending.writing import write_round
from tests.unit.transports.letters import letter, update


def parcel(number: int, message: Message | Exception) -> Parcel:
    def write(now: datetime) -> Message:
        if isinstance(message, Exception):
            raise message
        return message

    return Parcel(number, False, write)


def letters(count: int) -> list[Parcel]:
    return [parcel(n, letter(delivery=f"d-{n}")) for n in range(count)]


def updates(count: int) -> list[Parcel]:
    return [parcel(n, update(n)) for n in range(count)]


@pytest.mark.parametrize(
    ("parcels", "largest", "written"),
    [
        (letters(100), 1, 64),
        (letters(100), 500, 64),
        (letters(10), 500, 10),
        (updates(1000), 500, 500),
        (updates(1000), 1, 64),
        (updates(1000), 20, 64),
    ],
    ids=["letters", "letters by bulk", "few", "mailings", "mailings one by one", "small requests"],
)
def test_a_round_is_what_may_be_in_the_air_at_once(
    parcels: list[Parcel], largest: int, written: int, now: datetime
) -> None:
    round_ = write_round(parcels, now, width=64, largest=largest)

    assert list(round_.mails) == list(range(written))
    assert list(round_.rest) == parcels[written:]


def test_mails_by_themselves_end_a_round_of_straight_ones(now: datetime) -> None:
    mixed = [*updates(100), *(parcel(100 + n, letter()) for n in range(100))]
    assert len(write_round(mixed, now, width=64, largest=500).mails) == 164


def test_without_width_nothing_is_written(now: datetime) -> None:
    parcels = letters(3)
    round_ = write_round(parcels, now, width=0, largest=500)
    assert round_.mails == {}
    assert round_.rest == parcels


def test_what_cannot_be_written_is_set_aside_and_the_others_go_on(now: datetime) -> None:
    parcels = [parcel(1, CannotWrite("no")), parcel(2, ValueError("jane@example.org")), parcel(3, letter())]

    round_ = write_round(parcels, now, width=64, largest=1)

    assert list(round_.mails) == [3]
    assert [str(error) for _, error in round_.unwritten] == ["no", "writing it failed: ValueError"]
