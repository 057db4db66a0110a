"""Hundreds of mails in one request to SendGrid, and what becomes of each when something about it is wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from math import log2

import pytest

from outreach.domain.messages import Mailbox, Message
from outreach.transports.base import (
    Ailing,
    BulkTransport,
    LockedOut,
    NoAnswer,
    NotOffered,
    Outcome,
    Receipt,
    Refused,
    Simulated,
    Unavailable,
)
from outreach.transports.sendgrid import SendGridTransport
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid
from tests.unit.transports.letters import letter, update


@pytest.fixture
def provider() -> Iterator[FakeSendGrid]:
    with fake_sendgrid() as fake:
        yield fake


@pytest.fixture
def transport(provider: FakeSendGrid) -> Iterator[SendGridTransport]:
    transport = SendGridTransport(API_KEY, host=provider.url, env="test", connections=4, timeout=1)
    yield transport
    transport.close()


def offer(transport: SendGridTransport, messages: Sequence[Message]) -> list[Outcome]:
    return transport.send_many(messages, deadline=time.monotonic() + 60)


def crowd(count: int) -> list[Message]:
    return [update(n) for n in range(count)]


def kinds(outcomes: Sequence[Outcome]) -> set[type[Outcome]]:
    return {type(outcome) for outcome in outcomes}


def addresses(provider: FakeSendGrid) -> list[str]:
    return sorted(record["to"] for record in provider.accepted)


def test_everybody_gets_their_own_mail_out_of_one_request(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    messages = crowd(300)

    outcomes = offer(transport, messages)

    assert provider.requests == 1
    assert {outcome.provider_id for outcome in outcomes if isinstance(outcome, Receipt)} == {
        provider.accepted[0]["message_id"]
    }
    for record, message in zip(provider.accepted, messages, strict=True):
        assert (record["delivery"], record["attempt"], record["env"]) == (message.delivery, "1", "test")
        assert (record["to"], record["subject"], record["text"]) == (message.to.address, message.subject, message.text)
        assert record["headers"] == dict(message.headers)


def test_it_is_a_bulk_transport(transport: SendGridTransport) -> None:
    assert isinstance(transport, BulkTransport)
    assert transport.largest == 500


def test_c1_no_request_has_a_recipient_twice(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    twice = [update(1), update(2, to=Mailbox("", "READER-1@example.org"))]

    assert kinds(offer(transport, twice)) == {Receipt}

    assert [len(payload["personalizations"]) for payload in provider.payloads] == [1, 1]


def test_c5_a_named_row_is_refused_and_the_others_leave_once(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    provider.poisoned["reader-3@example.org"] = "named"

    outcomes = offer(transport, crowd(100))

    assert str(outcomes[3]) == "400 to: Does not contain a valid address."
    assert [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Receipt)] == [3]
    assert addresses(provider) == sorted(f"reader-{n}@example.org" for n in range(100) if n != 3)
    assert provider.requests == 2


@pytest.mark.parametrize("bad", [0, 37, 99])
def test_c6_fault_f25_an_opaque_refusal_is_bisected_to_the_bad_row(
    provider: FakeSendGrid, transport: SendGridTransport, bad: int
) -> None:
    provider.poisoned[f"reader-{bad}@example.org"] = "opaque"

    outcomes = offer(transport, crowd(100))

    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Refused)] == [bad]
    assert addresses(provider) == sorted(f"reader-{n}@example.org" for n in range(100) if n != bad)
    assert provider.requests <= 2 * log2(100) + 2


def test_c7_fault_f20_after_too_many_requests_none_is_made_before_the_given_moment(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    provider.reset_seconds = 7
    provider.faults.script("429")

    outcomes = offer(transport, crowd(600))  # two requests' worth; the second is not made

    assert provider.requests == 1
    assert provider.early == 0
    (closed,) = {outcome for outcome in outcomes if not isinstance(outcome, NotOffered)}
    assert isinstance(closed, Unavailable)
    assert closed.whole
    assert closed.retry_after is not None
    assert timedelta(seconds=5) < closed.retry_after <= timedelta(seconds=7)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("401", LockedOut), ("403", LockedOut), ("500", Ailing), ("503", Ailing), ("502", NoAnswer), ("hang", NoAnswer)],
)
def test_a_fault_of_the_whole_request_is_that_of_all_its_mails(
    provider: FakeSendGrid, transport: SendGridTransport, fault: str, kind: type[Outcome]
) -> None:
    provider.faults.script(fault)

    assert kinds(offer(transport, crowd(20))) == {kind}

    assert provider.requests == 1
    assert provider.accepted == []


def test_c9_an_answer_in_html_that_it_is_too_large_splits_the_request(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    provider.largest = 10_000

    assert kinds(offer(transport, crowd(100))) == {Receipt}

    assert len(provider.accepted) == len(set(addresses(provider))) == 100


def test_c9_fault_f28_a_single_mail_that_is_too_large_is_refused(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    provider.largest = 100

    assert kinds(offer(transport, crowd(2))) == {Refused}

    assert provider.requests == 3


def test_c10_fault_f23_when_the_answer_is_lost_the_whole_request_is_in_doubt_and_not_offered_again(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    provider.faults.script("hang_after")

    assert kinds(offer(transport, crowd(20))) == {NoAnswer}

    assert (provider.requests, len(provider.accepted)) == (1, 20)


def test_c11_fault_f23_a_server_that_hangs_is_left_at_the_timeout(provider: FakeSendGrid) -> None:
    # The fake never answers: that this ends at all is the proof.
    transport = SendGridTransport(API_KEY, host=provider.url, timeout=0.3)
    provider.faults.script("hang", "hang")

    assert kinds(offer(transport, crowd(2))) == {NoAnswer}
    with pytest.raises(NoAnswer, match="ReadTimeoutError"):
        transport.send(letter())

    transport.close()


def test_a_fault_of_what_they_share_is_the_fault_of_all(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    outcomes = offer(transport, [update(n, sender=Mailbox("", "news@localhost")) for n in range(10)])

    assert kinds(outcomes) == {Refused}
    assert "from.email" in str(outcomes[0])
    assert provider.requests == 1


def test_what_cannot_share_goes_by_itself(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    odd = update(3, name="-oe_stop-")
    assert kinds(offer(transport, [update(1), odd, update(2)])) == {Receipt}

    texts = {record["to"]: record["text"] for record in provider.accepted}
    assert texts["reader-3@example.org"] == odd.text
    assert sorted(len(payload["personalizations"]) for payload in provider.payloads) == [1, 2]


def test_a_malformed_mail_is_refused_and_never_offered(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    outcomes = offer(transport, [update(1), update(2, subject="a\r\nBcc: b@example.net"), update(3)])

    assert [type(outcome) for outcome in outcomes] == [Receipt, Refused, Receipt]
    assert len(provider.accepted) == 2


def test_after_the_deadline_nothing_is_offered(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    messages = [update(1), update(2), letter()]

    assert kinds(transport.send_many(messages, deadline=time.monotonic() - 1)) == {NotOffered}

    assert provider.requests == 0


def test_c20_in_the_sandbox_mails_are_looked_at_and_none_is_sent(provider: FakeSendGrid) -> None:
    transport = SendGridTransport(API_KEY, host=provider.url, sandbox=True)
    provider.poisoned["reader-1@example.org"] = "named"

    outcomes = offer(transport, crowd(3))

    assert [type(outcome) for outcome in outcomes] == [Simulated, Refused, Simulated]
    with pytest.raises(Simulated):
        transport.send(letter())
    assert provider.accepted == []
    assert all(payload["mail_settings"] == {"sandbox_mode": {"enable": True}} for payload in provider.payloads)
    transport.close()


def test_c22_neither_key_nor_addresses_are_in_any_log(
    provider: FakeSendGrid, transport: SendGridTransport, caplog: pytest.LogCaptureFixture
) -> None:
    provider.poisoned["reader-3@example.org"] = "named"
    with caplog.at_level(logging.DEBUG):
        outcomes = offer(transport, crowd(10))
        provider.faults.script("401", "503", "hang", "413")
        for _ in range(4):
            outcomes += offer(transport, crowd(10))
        transport.send(letter(text="a very private sentence\n"))

    told = caplog.text + " ".join(str(outcome) for outcome in outcomes)
    assert API_KEY not in told
    assert "reader-" not in told
    assert "secretary@" not in told
    assert "private" not in told
