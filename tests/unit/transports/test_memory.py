"""The double: keeps what it is given, raises what it is told to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from outreach.transports.base import NoAnswer, Receipt, Unavailable
from outreach.transports.memory import MemoryTransport
from tests.unit.transports.letters import letter


def test_it_takes_everything_unless_told_otherwise() -> None:
    memory = MemoryTransport()

    receipt = memory.send(letter())

    assert memory.sent == memory.offered == [letter()]
    assert receipt.provider_id


def test_each_outcome_is_for_one_message() -> None:
    memory = MemoryTransport([Unavailable("closed", whole=True)])
    memory.answer(NoAnswer("silence"), lambda message: Receipt(message.delivery))

    with pytest.raises(Unavailable):
        memory.send(letter(attempt=1))
    with pytest.raises(NoAnswer):
        memory.send(letter(attempt=2))

    assert memory.send(letter(attempt=3)).provider_id == "d-1"
    assert [m.attempt for m in memory.offered] == [1, 2, 3]
    assert [m.attempt for m in memory.sent] == [3]


def test_a_message_no_transport_may_carry_is_an_error() -> None:
    with pytest.raises(ValueError, match="subject"):
        MemoryTransport().send(letter(subject="a\nb"))


def test_threads_may_share_it() -> None:
    memory = MemoryTransport()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: memory.send(letter(attempt=n)), range(500)))

    assert sorted(m.attempt for m in memory.sent) == list(range(500))
