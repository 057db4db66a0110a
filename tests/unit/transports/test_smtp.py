"""SMTP: what each answer means, what may be tried again, and that one mail stays one mail. The server is a fake."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from outreach.domain.messages import Mailbox
from outreach.errors import WrongSetting
from outreach.transports.base import NoAnswer, Refused, Unavailable
from outreach.transports.mime import to_bytes
from outreach.transports.smtp import Server, SmtpTransport
from tests.fakes import certificates
from tests.fakes.smtp_sink import SmtpSink, smtp_sink
from tests.servers import free_port
from tests.unit.transports.letters import letter


@pytest.fixture(params=["pipelined", "step by step"])
def sink(request: pytest.FixtureRequest) -> Iterator[SmtpSink]:
    with smtp_sink(pipelining=request.param == "pipelined") as sink:
        yield sink


@pytest.fixture
def transport(sink: SmtpSink) -> Iterator[SmtpTransport]:
    transport = SmtpTransport(Server.from_url(sink.url), ehlo="outreach.example.org", timeout=1)
    yield transport
    transport.close()


def test_a_mail_arrives_byte_for_byte(sink: SmtpSink, transport: SmtpTransport) -> None:
    receipt = transport.send(letter(text=".\n..\n.dots\n"))

    record = sink.accepted[0]
    assert (record["from"], record["to"]) == ("letters@letters.example.org", ["secretary@example.com"])
    assert record["data"].encode("latin-1") == to_bytes(letter(text=".\n..\n.dots\n"))
    assert receipt.provider_id == "2.0.0 Ok: queued as 00000001"
    assert sink.commands[0].lower() == "ehlo outreach.example.org"


def test_one_connection_carries_many_mails(sink: SmtpSink, transport: SmtpTransport) -> None:
    for n in range(20):
        transport.send(letter(delivery=f"d-{n}", message_id=f"<d-{n}@example.org>"))

    assert [record["delivery"] for record in sink.accepted] == [f"d-{n}" for n in range(20)]
    assert sink.connections == 1


def test_threads_have_a_connection_each(sink: SmtpSink, transport: SmtpTransport) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: transport.send(letter(message_id=f"<d-{n}@example.org>")), range(200)))

    assert sorted(record["delivery"] for record in sink.accepted) == sorted(f"d-{n}" for n in range(200))
    assert sink.connections <= 8


@pytest.mark.parametrize("smuggled", ["\n.\n", "\r.\r", "\r\n.\r\n", "\n.\r\n", "\r\n.\n", "\r.\r\n"])
def test_a_letter_cannot_smuggle_in_a_second_mail(sink: SmtpSink, transport: SmtpTransport, smuggled: str) -> None:
    hostile = f"Dear{smuggled}MAIL FROM:<x@example.net>\r\nRCPT TO:<y@example.net>\r\nDATA\r\nhello{smuggled}end"

    transport.send(letter(text=hostile, html=f"<p>{hostile}"))

    assert len(sink.accepted) == 1
    assert sink.accepted[0]["to"] == ["secretary@example.com"]
    assert not re.search(r"\r(?!\n)|(?<!\r)\n", sink.accepted[0]["data"])
    assert sum(command.startswith("RCPT") for command in sink.commands) == 1


@pytest.mark.parametrize("address", ["jörg@example.org", "a@b.org>\r\nRCPT TO:<e@example.net", "a b@example.org"])
def test_an_address_that_is_not_plain_is_refused_before_a_connection(
    sink: SmtpSink, transport: SmtpTransport, address: str
) -> None:
    with pytest.raises(Refused):
        transport.send(letter(to=Mailbox("", address)))

    assert sink.connections == 0


@pytest.mark.parametrize(
    ("fault", "told"),
    [("550", "RCPT: 550 5.1.1"), ("554_data", "DATA: 554 5.7.1"), ("552_dot", "the mail: 552 5.3.4")],
)
def test_a_final_no_is_refused_without_the_address(
    sink: SmtpSink, transport: SmtpTransport, fault: str, told: str
) -> None:
    sink.faults.script(fault)

    with pytest.raises(Refused) as caught:
        transport.send(letter())

    assert caught.value.detail.startswith(told)
    assert "secretary" not in caught.value.detail
    assert sink.accepted == []


@pytest.mark.parametrize("fault", ["450", "451_dot"])
def test_not_now_is_about_this_mail_only(sink: SmtpSink, transport: SmtpTransport, fault: str) -> None:
    sink.faults.script(fault)

    with pytest.raises(Unavailable) as caught:
        transport.send(letter())

    assert not caught.value.whole
    assert caught.value.retry_after is None


@pytest.mark.parametrize("fault", ["450", "550", "554_data", "451_dot", "552_dot"])
def test_after_a_refusal_the_connection_serves_the_next_mail(
    sink: SmtpSink, transport: SmtpTransport, fault: str
) -> None:
    sink.faults.script(fault)
    with pytest.raises((Refused, Unavailable)):
        transport.send(letter())

    transport.send(letter(delivery="d-2", message_id="<d-2@example.org>"))

    assert [record["delivery"] for record in sink.accepted] == ["d-2"]
    assert sink.connections == 1


def test_told_to_go_ahead_after_a_refused_address_it_says_nothing(sink: SmtpSink, transport: SmtpTransport) -> None:
    sink.trusting = True
    sink.faults.script("550")

    with pytest.raises(Refused, match="RCPT: 550"):
        transport.send(letter())
    transport.send(letter(message_id="<d-2@example.org>"))

    assert [record["delivery"] for record in sink.accepted] == ["d-2"]
    assert sink.connections == 1


@pytest.mark.parametrize("fault", ["421", "drop", "drop_data", "hang"])
def test_a_server_that_goes_away_before_the_final_dot_took_nothing(
    sink: SmtpSink, transport: SmtpTransport, fault: str
) -> None:
    text = "word\n" * (4_000_000 if fault == "drop_data" else 1)
    sink.faults.script(fault, "ok")

    with pytest.raises(Unavailable) as caught:
        transport.send(letter(text=text))

    assert caught.value.whole
    assert caught.value.retry_after == timedelta(seconds=15)
    assert sink.accepted == []


@pytest.mark.parametrize("fault", ["421", "drop", "hang"])
def test_a_kept_connection_that_goes_away_is_replaced_once(
    sink: SmtpSink, transport: SmtpTransport, fault: str
) -> None:
    transport.send(letter(message_id="<d-1@example.org>"))
    sink.faults.script(fault)

    transport.send(letter(message_id="<d-2@example.org>"))

    assert [record["delivery"] for record in sink.accepted] == ["d-1", "d-2"]
    assert sink.connections == 2


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 timeout exceeded\r\n"])
def test_a_connection_ended_while_idle_is_replaced_unnoticed(
    sink: SmtpSink, transport: SmtpTransport, farewell: bytes
) -> None:
    transport.send(letter(message_id="<d-1@example.org>"))
    sink.drop_connections(farewell)

    transport.send(letter(message_id="<d-2@example.org>"))

    assert len(sink.accepted) == 2


def test_a_connection_that_idled_long_is_not_trusted(
    sink: SmtpSink, transport: SmtpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.send(letter(message_id="<d-1@example.org>"))
    monkeypatch.setattr("outreach.transports.smtp.IDLE_SECONDS", 0.0)

    transport.send(letter(message_id="<d-2@example.org>"))

    assert sink.connections == 2


@pytest.mark.parametrize("fault", ["drop_after", "hang_after"])
def test_silence_after_the_final_dot_is_in_doubt_and_never_repeated(
    sink: SmtpSink, transport: SmtpTransport, fault: str
) -> None:
    transport.send(letter(message_id="<d-1@example.org>"))
    sink.faults.script(fault)

    with pytest.raises(NoAnswer):
        transport.send(letter(message_id="<d-2@example.org>"))

    assert [record["delivery"] for record in sink.accepted] == ["d-1", "d-2"]
    transport.send(letter(message_id="<d-3@example.org>"))
    assert len(sink.accepted) == 3


def test_a_server_that_is_not_there_takes_nothing() -> None:
    with pytest.raises(Unavailable, match="ConnectionRefusedError") as caught:
        SmtpTransport(Server("127.0.0.1", free_port())).send(letter())

    assert caught.value.whole


@pytest.mark.parametrize(
    ("greeting", "told"),
    [
        (b"554 5.7.1 go away a@example.org\r\n", "554 5.7.1 go away …@…"),
        (b"421 4.7.0 busy\r\n", "421"),
        (b"", "Disconnected"),
    ],
)
def test_a_server_that_does_not_greet_takes_nothing(greeting: bytes, told: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def turn_away() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        done = pool.submit(turn_away)
        with pytest.raises(Unavailable, match=told) as caught:
            SmtpTransport(Server("127.0.0.1", server.getsockname()[1]), timeout=2).send(letter())
        done.result(10)

    assert caught.value.whole
    assert "a@example" not in caught.value.detail


def test_starttls_that_is_not_offered_sends_nothing_in_the_clear(sink: SmtpSink) -> None:
    server = Server.from_url(sink.url + "?starttls=1")

    with pytest.raises(Unavailable, match="encrypting: SMTPNotSupportedError") as caught:
        SmtpTransport(server).send(letter())

    assert caught.value.whole
    assert not any(command.startswith("MAIL") for command in sink.commands)


def test_it_speaks_tls_and_trusts_only_whom_it_should(tmp_path: Path) -> None:
    server, client = certificates.contexts(tmp_path)
    with smtp_sink(tls=server) as sink:
        trusting = SmtpTransport(Server.from_url(sink.url), ssl_context=client, timeout=2)
        trusting.send(letter())
        trusting.send(letter())
        with pytest.raises(Unavailable, match="SSL"):
            SmtpTransport(Server.from_url(sink.url), timeout=2).send(letter())
        trusting.close()

    assert len(sink.accepted) == 2


def test_an_interrupted_mail_leaves_no_half_used_connection(
    sink: SmtpSink, transport: SmtpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.send(letter(message_id="<d-1@example.org>"))
    monkeypatch.setattr("outreach.transports.smtp._Session._announce", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        transport.send(letter())
    monkeypatch.undo()

    transport.send(letter(message_id="<d-2@example.org>"))

    assert sink.connections == 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_closing_says_good_bye(sink: SmtpSink, transport: SmtpTransport) -> None:
    transport.send(letter())
    gone = Event()
    assert sink.loop is not None
    session = next(iter(sink.open))
    lost, session.connection_lost = session.connection_lost, lambda exc: (lost(exc), gone.set())[0]  # type: ignore[method-assign]

    transport.close()

    assert gone.wait(10)
    assert "QUIT" in sink.commands


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", Server("mail.example.org", 25)),
        ("smtps://mail.example.org", Server("mail.example.org", 465, "implicit")),
        ("smtp://mail.example.org?starttls=1", Server("mail.example.org", 587, "starttls")),
        ("smtp://u%40x:p%2Fw%25@[::1]:2525/", Server("::1", 2525, "", "u@x", "p/w%")),
    ],
)
def test_an_address_names_a_server(url: str, server: Server) -> None:
    assert Server.from_url(url) == server


@pytest.mark.parametrize("url", ["smtp://h?startls=1", "smtp://h?starttls=yes", "smtp://h/path", "smtp://?starttls=1"])
def test_an_address_with_an_odd_part_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(WrongSetting, match="OUTREACH_SMTP_URL"):
        Server.from_url(url)


def test_the_password_is_not_shown() -> None:
    assert "hush" not in repr(Server.from_url("smtp://u:hush@example.org"))
