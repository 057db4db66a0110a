"""The ways out against servers that are not ours: aiosmtpd, and the fake SendGrid as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from outreach.domain.events import EventKind
from outreach.domain.messages import Mailbox
from outreach.keys import Keys
from outreach.transports import make_transport
from outreach.transports.base import Refused, Transport, Unavailable
from outreach.transports.mailbox import MailboxTransport, read_mailbox
from outreach.transports.mime import to_bytes
from outreach.transports.sendgrid import SendGridTransport
from outreach.transports.smtp import Server, SmtpTransport
from outreach.webhooks.sendgrid import parse, verify
from tests import factories, servers
from tests.conftest import make_settings
from tests.fakes import certificates
from tests.fakes.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.fakes.ledger import read_ledger
from tests.fakes.sendgrid import API_KEY
from tests.unit.transports.letters import letter


class Keeping:
    """An aiosmtpd handler that keeps envelopes, refuses one address and lets one password in."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return f"550 5.1.1 <{address}> is unknown"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 kept"


def only_jane(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    known = isinstance(given, LoginPassword) and (given.login, given.password) == (b"jane@x", b"p/w%")
    return AuthResult(success=known, handled=False)


@contextmanager
def aiosmtpd(**options: Any) -> Iterator[tuple[Keeping, int]]:
    handler = Keeping()
    controller = Controller(handler, hostname="127.0.0.1", port=servers.free_port(), **options)
    controller.start()
    try:
        yield handler, controller.port
    finally:
        controller.stop()


@contextmanager
def closing(transport: Transport) -> Iterator[Transport]:
    try:
        yield transport
    finally:
        transport.close()


def test_the_settings_choose_the_way_out(tmp_path: Path) -> None:
    for name, more in {
        "mailbox": {},
        "smtp": {"smtp_url": "smtp://127.0.0.1:25"},
        "sendgrid": {"sendgrid_api_key": API_KEY},
    }.items():
        with closing(make_transport(make_settings(tmp_path, transport=name, **more))) as transport:
            assert transport.name == name


def test_a_mail_in_the_folder_is_where_the_settings_say(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, mailbox_dir=str(tmp_path / "post"))
    with closing(make_transport(settings)) as transport:
        assert isinstance(transport, MailboxTransport)
        transport.send(letter())

    assert [mail.delivery for mail in read_mailbox(settings.mailbox_dir)] == ["d-1"]


@pytest.mark.parametrize("text", ["short\n", ".\n..\nä\n", "x" * 5000, "山" * 2000])
def test_an_smtp_server_receives_the_bytes_we_wrote(tmp_path: Path, text: str) -> None:
    message = letter(text=text, sender=Mailbox("Zoë Müller via Outreach", "letters@letters.example.org"))
    with aiosmtpd() as (handler, port):
        settings = make_settings(tmp_path, transport="smtp", smtp_url=f"smtp://127.0.0.1:{port}")
        with closing(make_transport(settings)) as transport:
            transport.send(message)
            transport.send(message)

    envelope = handler.envelopes[0]
    assert len(handler.envelopes) == 2
    assert envelope.mail_from == f"{Keys(settings.secret_key).bounce_alias('d-1', 1)}@{settings.reply_domain}"
    assert envelope.rcpt_tos == ["secretary@example.com"]
    assert envelope.content == to_bytes(message)


def test_a_refused_address_does_not_end_the_session() -> None:
    with aiosmtpd() as (handler, port), closing(SmtpTransport(Server("127.0.0.1", port))) as transport:
        with pytest.raises(Refused, match=r"^RCPT: 550 5\.1\.1 <…@…> is unknown$"):
            transport.send(letter(to=Mailbox("", "nobody@example.com")))
        transport.send(letter())

    assert [envelope.rcpt_tos for envelope in handler.envelopes] == [["secretary@example.com"]]


def test_it_signs_in_over_starttls(tmp_path: Path) -> None:
    server, client = certificates.contexts(tmp_path)
    options = {"tls_context": server, "authenticator": only_jane, "auth_required": True, "require_starttls": True}
    with aiosmtpd(**options) as (handler, port):

        def through(user: str) -> SmtpTransport:
            url = f"smtp://{user}127.0.0.1:{port}?starttls=1"
            return SmtpTransport(Server.from_url(url), ssl_context=client)

        with closing(through("jane%40x:p%2Fw%25@")) as transport:
            transport.send(letter())
        for user, told in (("jane%40x:wrong@", "signing in"), ("", "530")):
            with closing(through(user)) as transport, pytest.raises(Unavailable, match=told) as caught:
                transport.send(letter())
            assert caught.value.whole
            assert "wrong" not in caught.value.detail

    assert len(handler.envelopes) == 1


def test_it_speaks_smtps(tmp_path: Path) -> None:
    server, client = certificates.contexts(tmp_path)
    with (
        aiosmtpd(ssl_context=server) as (handler, port),
        closing(SmtpTransport(Server("127.0.0.1", port, "implicit"), ssl_context=client)) as transport,
    ):
        transport.send(letter())

    assert len(handler.envelopes) == 1


@contextmanager
def fake_process(*options: str) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """The fake SendGrid as a process: its address, its public key and the process."""
    command = [sys.executable, "-m", "tests.fakes.sendgrid", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{told['port']}", told["key"], process
    finally:
        servers.stop(process)
        process.stdout.close()


def control(fake: str, what: str, /, **asked: Any) -> Any:
    with urllib3.PoolManager() as http:
        return http.request("POST", f"{fake}/control/{what}", json=asked).json()


@pytest.mark.servers
def test_what_the_fake_took_outlives_its_violent_end(tmp_path: Path) -> None:
    ledger = tmp_path / "accepted.jsonl"
    with (
        fake_process("--ledger", str(ledger), "--fsync") as (url, _, process),
        closing(SendGridTransport(API_KEY, host=url, timeout=2)) as transport,
    ):
        for n in range(5):
            transport.send(letter(delivery=f"d-{n}"))
        servers.stop(process, signal.SIGKILL)
        with pytest.raises(Unavailable):
            transport.send(letter(delivery="d-5"))

    assert [record["delivery"] for record in read_ledger(ledger)] == [f"d-{n}" for n in range(5)]


@pytest.mark.servers
def test_the_fake_is_told_what_to_do_from_outside() -> None:
    with fake_process() as (url, key, _), closing(SendGridTransport(API_KEY, host=url, timeout=2)) as transport:
        control(url, "faults", script=["401", "ok"], rates="413=1")
        with pytest.raises(Unavailable):
            transport.send(letter())
        transport.send(letter())
        with pytest.raises(Refused):
            transport.send(letter())

        assert [record["delivery"] for record in control(url, "accepted")] == ["d-1"]
        assert control(url, "key") == {"public": key}


@contextmanager
def webhook() -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """A receiver of events: its address, and what it got."""
    got: list[tuple[bytes, dict[str, str]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((body, dict(self.headers.items())))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks/sendgrid/events", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.servers
def test_its_reports_are_signed_doubled_and_out_of_order() -> None:
    with fake_process() as (url, key, _), closing(SendGridTransport(API_KEY, host=url)) as transport:
        for n in range(40):
            transport.send(letter(delivery=f"d-{n}"))
        with webhook() as (address, got):
            told = control(url, "events", url=address, seed=3, doubled=0.4, shuffled=True, batch=30)

    now = datetime.now(UTC)
    assert told == {"statuses": [200] * len(got)}
    assert len(got) >= 3
    for body, headers in got:
        assert verify(body, headers[SIGNATURE_HEADER], headers[TIMESTAMP_HEADER], [key], now=now)
    events = [event for body, _ in got for event in parse(body, factories.KEYS)]
    assert len(events) > len({event.id for event in events}) == 80
    delivered = [event.delivery for event in events if event.kind is EventKind.DELIVERED]
    assert delivered != sorted(delivered, key=lambda d: int(str(d)[2:]))
    assert set(delivered) == {f"d-{n}" for n in range(40)}


@pytest.mark.servers
def test_it_reports_by_itself_when_it_knows_where_to(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    with webhook() as (address, got):
        options = ("--webhook", address, "--events", "bounce=1", "--key", str(tmp_path / "key.pem"))
        with fake_process(*options) as (url, _, _), closing(SendGridTransport(API_KEY, host=url)) as transport:
            transport.send(letter())
            wait_until(lambda: got)

    assert [event.kind for event in parse(got[0][0], factories.KEYS)] == [EventKind.PROCESSED, EventKind.BOUNCED]


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Ask again until it is so; there is no event to await across processes."""
    import time

    def wait(so: Callable[[], object], patience: float = 15) -> None:
        deadline = time.monotonic() + patience
        while not so():
            assert time.monotonic() < deadline, "it never came about"
            time.sleep(0.02)

    return wait
