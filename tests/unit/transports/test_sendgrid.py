"""Handing over to SendGrid: what is sent, and what each answer means for the mail. The provider is a fake."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from outreach.domain.messages import Attachment, Mailbox
from outreach.transports.base import NoAnswer, Refused, Unavailable
from outreach.transports.sendgrid import SendGridTransport, payload
from tests.fakes import certificates
from tests.fakes.sendgrid import API_KEY, FakeSendGrid, fake_sendgrid
from tests.servers import free_port
from tests.unit.transports.letters import letter


@pytest.fixture
def provider() -> Iterator[FakeSendGrid]:
    with fake_sendgrid() as fake:
        yield fake


@pytest.fixture
def transport(provider: FakeSendGrid) -> Iterator[SendGridTransport]:
    transport = SendGridTransport(API_KEY, host=provider.url, env="test", connections=4, timeout=1)
    yield transport
    transport.close()


def test_a_letter_is_taken_as_it_is(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    receipt = transport.send(letter())

    record = provider.accepted[0]
    assert receipt.provider_id == record["message_id"]
    assert (record["delivery"], record["attempt"], record["env"]) == ("d-1", "1", "test")
    assert record["to"] == "secretary@example.com"
    assert record["from"] == {"email": "letters@letters.example.org", "name": "Jane Doe via Outreach"}
    assert record["reply_to"] == {"email": "r-mzxw6ytboi2s4z3p@replies.example.org", "name": "Jane Doe"}
    assert (record["subject"], record["text"]) == (letter().subject, letter().text)
    assert record["headers"] == {"Feedback-ID": "c1:letters:outreach"}


def test_the_payload_is_exactly_this() -> None:
    assert payload(letter(), env="test") == {
        "personalizations": [
            {
                "to": [{"email": "secretary@example.com", "name": "The Secretary"}],
                "custom_args": {"oe_delivery": "d-1", "oe_attempt": "1", "oe_env": "test"},
                "headers": {"Feedback-ID": "c1:letters:outreach"},
            }
        ],
        "from": {"email": "letters@letters.example.org", "name": "Jane Doe via Outreach"},
        "reply_to": {"email": "r-mzxw6ytboi2s4z3p@replies.example.org", "name": "Jane Doe"},
        "subject": "Please keep families together",
        "content": [
            {"type": "text/plain", "value": letter().text},
            {"type": "text/html", "value": letter().html},
        ],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }


def test_an_attachment_travels_in_base64() -> None:
    body = payload(letter(attachments=(Attachment("letters.csv", "text/csv", b"a,b"),)), env="test")
    file = {"content": "YSxi", "type": "text/csv", "filename": "letters.csv", "disposition": "attachment"}
    assert body["attachments"] == [file]


def test_what_is_not_there_is_left_out() -> None:
    body = payload(letter(reply_to=None, headers=(), to=Mailbox("", "a@example.com")), env="test")

    assert "reply_to" not in body
    assert body["personalizations"][0]["to"] == [{"email": "a@example.com"}]
    assert "headers" not in body["personalizations"][0]


def test_c3_a_recipients_name_holds_no_separators() -> None:
    body = payload(letter(to=Mailbox("Doe, Jane; MP", "a@example.com")), env="test")

    assert body["personalizations"][0]["to"][0]["name"] == "Doe Jane MP"


def test_c24_signers_tags_travel_literally(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    text = "{{7*7}} [unsubscribe] <%asm_group_unsubscribe_url%> -name- %tag%\n"

    transport.send(letter(text=text))

    assert provider.accepted[0]["text"] == text


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a\r\nBcc: b@example.net"},
        {"sender": Mailbox("a\nb", "a@example.org")},
        {"to": Mailbox("", "a@example.org, b@example.org")},
        {"headers": (("Reply-To", "x@example.net"),)},
        {"html": ""},
    ],
)
def test_a_malformed_message_is_refused_and_never_offered(
    provider: FakeSendGrid, transport: SendGridTransport, changes: dict[str, object]
) -> None:
    with pytest.raises(Refused):
        transport.send(letter(**changes))

    assert provider.requests == 0


@pytest.mark.parametrize("fault", ["400", "400_opaque", "404", "413"])
def test_what_the_provider_will_never_take_is_refused(
    provider: FakeSendGrid, transport: SendGridTransport, fault: str
) -> None:
    provider.faults.script(fault)

    with pytest.raises(Refused, match=fault[:3]):
        transport.send(letter())

    assert provider.requests == 1


def test_a_refusal_names_the_field_and_no_address(provider: FakeSendGrid) -> None:
    transport = SendGridTransport(API_KEY, host=provider.url)
    provider.faults.script("ok", "ok")
    with pytest.raises(Refused, match=r"^400 personalizations\.0\.to\.0\.email: Does not contain a valid address"):
        transport.send(letter(to=Mailbox("", "secretary@localhost")))
    transport.close()


@pytest.mark.parametrize("fault", ["401", "403"])
def test_a_refused_key_closes_the_whole_transport(
    provider: FakeSendGrid, transport: SendGridTransport, fault: str
) -> None:
    provider.faults.script(fault)

    with pytest.raises(Unavailable, match="refuses our key") as caught:
        transport.send(letter())

    assert caught.value.whole
    assert caught.value.retry_after == timedelta(seconds=60)


def test_a_wrong_key_is_noticed_by_the_provider(provider: FakeSendGrid) -> None:
    transport = SendGridTransport("SG.another", host=provider.url)

    with pytest.raises(Unavailable, match="refuses our key"):
        transport.send(letter())

    assert provider.accepted == []
    transport.close()


def test_too_many_requests_wait_until_the_given_moment(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    provider.reset_seconds = 300
    provider.faults.script("429")

    with pytest.raises(Unavailable) as caught:
        transport.send(letter())

    assert caught.value.whole
    assert caught.value.retry_after is not None
    assert timedelta(seconds=280) < caught.value.retry_after <= timedelta(seconds=300)


@pytest.mark.parametrize("off", [3600.0, -86_400.0])
def test_fault_f30_the_moment_is_read_by_the_providers_own_clock(provider: FakeSendGrid, off: float) -> None:
    transport = SendGridTransport(API_KEY, host=provider.url, timeout=1, clock=lambda: time.time() + off)
    provider.reset_seconds = 300
    provider.faults.script("429")

    with pytest.raises(Unavailable) as caught:
        transport.send(letter())

    assert caught.value.retry_after is not None
    assert timedelta(seconds=280) < caught.value.retry_after <= timedelta(seconds=301)
    transport.close()


@pytest.mark.parametrize(("reset", "seconds"), [(86_400, 900), (-50, 1)])
def test_a_pause_is_never_absurd(
    provider: FakeSendGrid, transport: SendGridTransport, reset: float, seconds: float
) -> None:
    provider.reset_seconds = reset
    provider.faults.script("429")

    with pytest.raises(Unavailable) as caught:
        transport.send(letter())

    assert caught.value.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize("fault", ["500", "503"])
def test_the_providers_own_trouble_leaves_the_mail_with_us(
    provider: FakeSendGrid, transport: SendGridTransport, fault: str
) -> None:
    provider.faults.script(fault)

    with pytest.raises(Unavailable) as caught:
        transport.send(letter())

    assert not caught.value.whole
    assert caught.value.retry_after is None


@pytest.mark.parametrize(
    "fault", ["502", "504", "502_after", "500_after", "hang", "hang_after", "reset", "reset_after", "close_after"]
)
def test_without_a_clear_answer_the_mail_is_in_doubt_and_not_offered_again(
    provider: FakeSendGrid, transport: SendGridTransport, fault: str
) -> None:
    transport.send(letter(delivery="d-0"))
    provider.faults.script(fault)

    with pytest.raises(NoAnswer):
        transport.send(letter())

    assert provider.requests == 2
    assert len(provider.accepted) == (2 if "_after" in fault else 1)


def test_sandbox_mode_is_not_sending(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fakes.sendgrid.is_sandbox", lambda body: True)

    with pytest.raises(Unavailable, match="sandbox") as caught:
        transport.send(letter())

    assert caught.value.whole


def test_a_provider_that_is_not_there_takes_nothing() -> None:
    transport = SendGridTransport(API_KEY, host=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(Unavailable, match="NewConnectionError") as caught:
        transport.send(letter())

    assert caught.value.whole
    assert caught.value.retry_after == timedelta(seconds=15)


def test_fault_f29_a_name_that_does_not_resolve_takes_nothing() -> None:
    transport = SendGridTransport(API_KEY, host="http://nowhere.invalid")

    with pytest.raises(Unavailable, match="NameResolutionError"):
        transport.send(letter())


def test_a_server_that_speaks_no_http_is_in_doubt(provider: FakeSendGrid) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def mumble() -> None:
            connection, _ = server.accept()
            with connection:
                while b"</html>" not in connection.recv(65536) + b"</html>":
                    pass
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        done = pool.submit(mumble)
        transport = SendGridTransport(API_KEY, host=f"http://127.0.0.1:{server.getsockname()[1]}", timeout=2)
        with pytest.raises(NoAnswer):
            transport.send(letter())
        done.result(10)
        transport.close()


def test_one_connection_carries_many_mails(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    for n in range(20):
        transport.send(letter(delivery=f"d-{n}"))

    assert provider.connections == 1
    assert [record["delivery"] for record in provider.accepted] == [f"d-{n}" for n in range(20)]


def test_threads_share_the_connections(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: transport.send(letter(delivery=f"d-{n}")), range(300)))

    assert sorted(r["delivery"] for r in provider.accepted) == sorted(f"d-{n}" for n in range(300))
    assert provider.connections <= 4


def test_a_connection_closed_while_idle_is_replaced_unnoticed(
    provider: FakeSendGrid, transport: SendGridTransport
) -> None:
    transport.send(letter(delivery="d-1"))
    provider.drop_connections()

    transport.send(letter(delivery="d-2"))

    assert len(provider.accepted) == 2
    assert provider.connections == 2


def test_a_connection_that_idled_long_is_not_trusted(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.send(letter(delivery="d-1"))
    monkeypatch.setattr("outreach.transports.wire.IDLE_SECONDS", 0.0)

    transport.send(letter(delivery="d-2"))

    assert provider.connections == 2


def test_a_request_that_could_not_leave_whole_is_sent_again_on_a_new_connection(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.send(letter(delivery="d-1"))
    provider.drop_connections()
    # given that the pool does not see that the connection is gone, and a mail larger than the socket's buffer
    monkeypatch.setattr("outreach.transports.wire._Watched.is_connected", True)

    transport.send(letter(delivery="d-2", text="word\n" * 800_000))

    assert [record["delivery"] for record in provider.accepted] == ["d-1", "d-2"]


def test_fault_f29_redirects_are_not_followed(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {provider.url}/v3/mail/send\r\nContent-Length: 0\r\n\r\n"
    monkeypatch.setattr(provider, "respond", lambda *_: ("", answer.encode()))

    with pytest.raises(Unavailable, match="redirects"):
        transport.send(letter())


def test_an_answer_that_is_not_sendgrids_gives_up_no_mail(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for status in (404, 407, 418):
        answer = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 6\r\n\r\n<html>"
        monkeypatch.setattr(provider, "respond", lambda *_, answer=answer: ("", answer.encode()))
        with pytest.raises(Unavailable) as caught:
            transport.send(letter())
        assert caught.value.whole


def test_an_accepted_mail_stays_accepted_when_its_answer_breaks_off(
    provider: FakeSendGrid, transport: SendGridTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "HTTP/1.1 202 Accepted\r\nX-Message-Id: abc\r\nContent-Length: 900\r\n\r\n{"
    monkeypatch.setattr(provider, "respond", lambda *_: ("", answer.encode()))

    assert transport.send(letter()).provider_id == "abc"


def test_c22_the_key_and_the_letter_are_in_no_log(
    provider: FakeSendGrid, transport: SendGridTransport, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        transport.send(letter(text="a very private sentence"))
        provider.faults.script("400", "hang")
        for error in (Refused, NoAnswer):
            with pytest.raises(error):
                transport.send(letter())

    assert API_KEY not in caplog.text
    assert "private" not in caplog.text
    assert "secretary@" not in caplog.text
    assert logging.getLogger("python_http_client.client").getEffectiveLevel() >= logging.WARNING
    assert API_KEY not in repr(transport)


def test_it_speaks_tls_and_trusts_only_whom_it_should(tmp_path: Path) -> None:
    server, client = certificates.contexts(tmp_path)
    with fake_sendgrid(tls=server) as provider:
        trusting = SendGridTransport(API_KEY, host=provider.url, ssl_context=client)
        trusting.send(letter())
        trusting.send(letter(delivery="d-2"))
        stranger = SendGridTransport(API_KEY, host=provider.url)
        with pytest.raises(Unavailable, match="SSL") as caught:
            stranger.send(letter(delivery="d-3"))
        trusting.close()
        stranger.close()

    assert caught.value.whole
    assert [record["delivery"] for record in provider.accepted] == ["d-1", "d-2"]
    assert provider.connections >= 1


def test_the_body_is_ascii_json(provider: FakeSendGrid, transport: SendGridTransport) -> None:
    transport.send(letter(text="Grüße, 山田 😀\n"))

    assert provider.accepted[0]["text"] == "Grüße, 山田 😀\n"
    assert json.dumps(provider.payloads[0]).isascii()
