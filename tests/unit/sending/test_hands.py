"""Handing over a round: what goes together, and what is not offered any more. The transport is played."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from outreach.domain.messages import Message, Straight
from outreach.outbox import Going
from outreach.sending.hands import Hands
from outreach.transports.base import NoAnswer, NotOffered, Outcome, Receipt, Refused, Unavailable
from outreach.transports.memory import MemoryTransport
from tests.unit.transports.letters import letter, update

LATER = time.monotonic() + 3600


class Bulk(MemoryTransport):
    """Takes three straight mails in one request."""

    largest = 3

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[str]] = []

    def send(self, message: Message) -> Receipt:
        self.requests.append([message.delivery])
        return super().send(message)

    def send_many(self, messages: Sequence[Message], *, deadline: float) -> list[Outcome]:
        self.requests.append([message.delivery for message in messages])
        return [self._one(message) for message in messages]

    def _one(self, message: Message) -> Outcome:
        try:
            return MemoryTransport.send(self, message)
        except (Refused, Unavailable) as error:
            return error


@pytest.fixture
def transport() -> Bulk:
    return Bulk()


@pytest.fixture
def hands(transport: Bulk) -> Iterator[Hands]:
    made = Hands(transport, width=1)
    yield made
    made.close()


def of_wave(number: int, key: str) -> Message:
    mail = update(number)
    assert isinstance(mail.straight, Straight)
    return replace(mail, straight=replace(mail.straight, key=key))


def going(*messages: Message) -> list[tuple[Going, Message]]:
    return [(Going(number, 1), message) for number, message in enumerate(messages)]


def test_straight_mails_of_one_key_go_together_and_others_by_themselves(transport: Bulk, hands: Hands) -> None:
    mails = [of_wave(1, "a"), letter(), of_wave(2, "b"), of_wave(3, "a"), of_wave(4, "a"), of_wave(5, "a")]

    answers = hands.hand_over(going(*mails), deadline=LATER)

    assert transport.requests == [["m-1", "m-3", "m-4"], ["d-1"], ["m-2"], ["m-5"]]
    assert sorted(answer.going.delivery_id for answer in answers) == list(range(6))
    assert all(isinstance(answer.outcome, Receipt) for answer in answers)


def test_each_mail_of_a_request_gets_its_own_answer(transport: Bulk, hands: Hands) -> None:
    transport.answer(Receipt("x"), Refused("400 to"), Receipt("x"))

    answers = hands.hand_over(going(*(of_wave(n, "a") for n in range(3))), deadline=LATER)

    assert [(a.going.delivery_id, type(a.outcome)) for a in answers] == [(0, Receipt), (1, Refused), (2, Receipt)]


def test_a_way_out_that_takes_one_mail_at_a_time_gets_one_at_a_time() -> None:
    transport = MemoryTransport()
    hands = Hands(transport, width=2)
    hands.hand_over(going(*(of_wave(n, "a") for n in range(5))), deadline=LATER)
    hands.close()
    assert hands.largest == 1
    assert len(transport.sent) == 5


def test_once_the_provider_has_closed_the_rest_of_the_round_is_not_offered(transport: Bulk, hands: Hands) -> None:
    transport.answer(Receipt(), Unavailable("429", whole=True))

    answers = hands.hand_over(going(*(letter(delivery=f"d-{n}") for n in range(5))), deadline=LATER)

    assert transport.requests == [["d-0"], ["d-1"]]
    assert [type(answer.outcome) for answer in answers] == [Receipt, Unavailable, *[NotOffered] * 3]


def test_after_the_deadline_nothing_is_offered(transport: Bulk, hands: Hands) -> None:
    answers = hands.hand_over(going(letter(), of_wave(1, "a"), of_wave(2, "a")), deadline=time.monotonic() - 1)

    assert transport.requests == []
    assert {type(answer.outcome) for answer in answers} == {NotOffered}


def test_a_fault_of_ours_leaves_every_mail_of_the_request_in_doubt(
    transport: Bulk, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(messages: Sequence[Message], *, deadline: float) -> list[Outcome]:
        raise RuntimeError("reader-1@example.org")

    monkeypatch.setattr(transport, "send_many", broken)

    answers = hands.hand_over(going(of_wave(1, "a"), of_wave(2, "a")), deadline=LATER)

    assert [str(answer.outcome) for answer in answers] == ["the transport broke: RuntimeError"] * 2
    assert {type(answer.outcome) for answer in answers} == {NoAnswer}
