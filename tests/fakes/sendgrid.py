"""A fake SendGrid: a real HTTP server that validates like the real one, keeps what it takes, and fails on request.

In a test: `with fake_sendgrid() as provider: …  provider.url, provider.accepted, provider.faults.script("502")`.
As a process: `python -m tests.fakes.sendgrid --port 8025 --ledger accepted.jsonl --faults 429=0.05,hang_after=0.01`.

A record of the ledger, one per personalization it took: {"delivery", "attempt", "env", "to", "to_name", "from",
"reply_to", "subject", "text", "sha256" (of text and html), "headers", "custom_args", "message_id", "number", "at"}.
Subject, text and digest are those of the finished mail, with its own values in the places of the tags.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from tests.fakes import log
from tests.fakes.events import EventKey, Signed, rows_for
from tests.fakes.faults import Faults, rates
from tests.fakes.ledger import Ledger
from tests.fakes.rules import MAX_BODY, Invalid, is_sandbox, validate
from tests.fakes.webhook import Reporter, post

API_KEY = "SG.fake-key-for-tests"
_REASONS = {200: "OK", 202: "Accepted", 400: "BAD REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT FOUND"}
_REASONS |= {413: "Request Entity Too Large", 415: "UNSUPPORTED MEDIA TYPE", 429: "TOO MANY REQUESTS"}
_REASONS |= {500: "INTERNAL SERVER ERROR", 502: "Bad Gateway", 503: "SERVICE UNAVAILABLE", 504: "Gateway Time-out"}
_HTML = "<html><head><title>{0} {1}</title></head><body><center><h1>{0} {1}</h1></center><hr>nginx</body></html>"


class FakeSendGrid:
    """The provider's mind: faults, ledger, key. `_Connection` is its mouth."""

    def __init__(
        self,
        *,
        api_key: str = API_KEY,
        faults: Faults | None = None,
        ledger: Ledger | None = None,
        key: EventKey | None = None,
    ) -> None:
        self.url = ""
        self.ca_file: Path | None = None
        self.faults = faults or Faults()
        self.ledger = ledger or Ledger()
        self.key = key or EventKey()
        self.payloads: list[dict[str, Any]] = []  #: every body that was read, also of refused ones
        self.keep_payloads = True
        self.requests = 0
        self.log_requests = 0
        self.log_status = 200
        self.erased: list[str] = []  #: recipients it was asked to erase
        self.erase_status = 202
        self.connections = 0
        self.reset_seconds = 7.0  #: how far in the future a 429 says it ends
        self.reset_at = 0.0  #: when the last 429 said that it ends (unix seconds)
        self.early = 0  #: requests that came before that
        self.poisoned: dict[str, str] = {}  #: address → "named" or "opaque": how a request that holds it is refused
        self.largest = MAX_BODY  #: bytes of a body; 413 for more
        self.open: set[_Connection] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._authorization = f"Bearer {api_key}".encode()

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """What was taken, one record per personalization."""
        return self.ledger.records

    def events_for(self, *records: dict[str, Any], at: float | None = None, **options: Any) -> Signed:
        """A signed webhook request about these mails; options as in `events.rows_for`."""
        return self.key.signed(rows_for(records, **options), at=time.time() if at is None else at)

    def emit(self, url: str, *, batch: int = 500, **options: Any) -> list[int]:
        """Report everything taken so far to a webhook; its answers' statuses. Options as in `events.rows_for`."""
        rows = rows_for(list(self.accepted), **options)
        batches = [rows[n : n + batch] for n in range(0, len(rows), batch)]
        return [post(url, self.key.signed(part, at=time.time())) for part in batches]

    def drop_connections(self) -> None:
        """Close every connection that is open now, as a load balancer does with idle ones."""
        assert self.loop is not None
        done = asyncio.run_coroutine_threadsafe(self._drop(), self.loop)
        done.result(10)

    async def _drop(self) -> None:
        for connection in list(self.open):
            connection.transport.close()
        await asyncio.sleep(0)

    def respond(self, authorization: bytes, content_type: bytes, body: bytes) -> tuple[str, bytes]:
        """What happens to one send: the fault's name, or "" and the answer's bytes."""
        self.requests += 1
        self.early += time.time() < self.reset_at
        fault = self.faults.next()
        if fault in ("hang", "reset", "close"):
            return fault, b""
        if fault == "429":
            now = time.time()
            limits = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0"}
            self.reset_at = float(int(now + self.reset_seconds))
            limits["X-RateLimit-Reset"] = str(int(self.reset_at))
            return "", errors(429, None, "too many requests", limits)
        if fault in ("413", "502", "504"):
            return "", html(int(fault))
        if fault == "400_opaque":
            return "", errors(400, None, "Bad Request")
        if fault.isdecimal():
            return "", errors(int(fault), None, _REASONS[int(fault)].title())
        answer = self._take(authorization, content_type, body)
        if fault in ("hang_after", "reset_after", "close_after"):
            return fault.removesuffix("_after"), b""
        if fault.endswith("_after"):
            return "", html(int(fault[:3]))
        return "", answer

    def logged(self, method: bytes, path: bytes, authorization: bytes, body: bytes) -> bytes:
        """What its log says to a query; `log_status` makes it misbehave."""
        self.log_requests += 1
        if self.log_status != 200:
            return errors(self.log_status, None, _REASONS[self.log_status].title())
        if not hmac.compare_digest(authorization, self._authorization):
            return errors(403, None, "access forbidden")
        status, told = log.respond(method.decode(), path.decode(), body, self.accepted)
        return answer(status, json.dumps(told).encode())

    def erase(self, authorization: bytes, body: bytes) -> bytes:
        """A job that erases recipients; `erase_status` makes it misbehave."""
        if self.erase_status != 202:
            return errors(self.erase_status, None, _REASONS[self.erase_status].title())
        if not hmac.compare_digest(authorization, self._authorization):
            return errors(403, None, "access forbidden")
        addresses = json.loads(body).get("email_addresses")
        if not isinstance(addresses, list) or not 0 < len(addresses) <= 5_000:
            return errors(400, "email_addresses", "must hold 1 to 5,000 addresses")
        self.erased += addresses
        return answer(202, json.dumps({"job_id": f"job-{len(self.erased)}"}).encode())

    def _take(self, authorization: bytes, content_type: bytes, body: bytes) -> bytes:
        if not hmac.compare_digest(authorization, self._authorization):
            return errors(401, None, "The provided authorization grant is invalid, expired, or revoked")
        if len(body) > self.largest:
            return html(413)
        if not content_type.startswith(b"application/json"):
            return errors(415, None, "Content-Type should be application/json.")
        try:
            payload = json.loads(body)
            if self.keep_payloads:
                self.payloads.append(payload)
            validate(payload)
            if named := self._poisoned(payload):
                return errors_at(named)
        except Invalid as error:
            return errors(400, error.field, error.message)
        except ValueError:
            return errors(400, None, "Bad Request")
        if is_sandbox(payload):
            return answer(200, b"")
        message_id = f"Fk{self.requests:07d}{sha256(body).hexdigest()[:13]}"
        self.ledger.add(list(_records(payload, message_id)))
        return answer(202, b"", {"X-Message-Id": message_id})

    def _poisoned(self, payload: dict[str, Any]) -> list[str]:
        """The fields of the rows that are refused by name; Invalid when one is refused without it."""
        people = payload["personalizations"]
        how = [self.poisoned.get(person["to"][0]["email"], "") for person in people]
        if "opaque" in how:
            raise Invalid
        return [f"personalizations.{n}.to" for n, said in enumerate(how) if said == "named"]


def _records(payload: dict[str, Any], message_id: str) -> Iterator[dict[str, Any]]:
    parts = {part["type"]: part["value"] for part in payload["content"]}
    text, page = parts.get("text/plain", ""), parts.get("text/html", "")
    now = time.time()
    for number, person in enumerate(payload["personalizations"]):
        arguments = payload.get("custom_args", {}) | person.get("custom_args", {})
        values = person.get("substitutions", {})
        own_text, own_page = substituted(text, values), substituted(page, values)
        digest = sha256(f"{own_text}\0{own_page}".encode()).hexdigest()
        yield {
            "delivery": arguments.get("oe_delivery"),
            "attempt": arguments.get("oe_attempt"),
            "env": arguments.get("oe_env"),
            "to": person["to"][0]["email"],
            "to_name": person["to"][0].get("name", ""),
            "from": payload["from"],
            "reply_to": payload.get("reply_to"),
            "subject": substituted(person.get("subject") or payload["subject"], values),
            "text": own_text,
            "sha256": digest,
            "headers": payload.get("headers", {}) | person.get("headers", {}),
            "custom_args": arguments,
            "message_id": message_id,
            "number": number,
            "at": now,
        }


def substituted(text: str, values: dict[str, str]) -> str:
    """SendGrid scans what it has put in again, four levels deep."""
    for _ in range(4):
        for tag, value in values.items():
            text = text.replace(tag, value)
    return text


def answer(status: int, body: bytes, headers: dict[str, str] | None = None, kind: str = "application/json") -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nServer: nginx\r\nDate: {formatdate(usegmt=True)}\r\n{more}"
    return f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def errors(status: int, field: str | None, message: str, headers: dict[str, str] | None = None) -> bytes:
    return answer(
        status, json.dumps({"errors": [{"message": message, "field": field, "help": None}]}).encode(), headers
    )


def errors_at(fields: list[str]) -> bytes:
    """400, naming each of these fields."""
    told = [{"message": "Does not contain a valid address.", "field": field, "help": None} for field in fields]
    return answer(400, json.dumps({"errors": told}).encode())


def html(status: int) -> bytes:
    return answer(status, _HTML.format(status, _REASONS[status]).encode(), kind="text/html")


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as clients of SendGrid use; one request at a time."""

    transport: asyncio.Transport

    def __init__(self, provider: FakeSendGrid) -> None:
        self._provider = provider
        self._buffer = b""
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._provider.connections += 1
        self._provider.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._provider.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while not self._silent:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self._buffer[:end].split(b"\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
            size = end + 4 + int(headers.get(b"content-length", b"0"))
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            method, _, rest = lines[0].partition(b" ")
            self._request(method, rest.partition(b" ")[0], headers, body)

    def _request(self, method: bytes, path: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        if path.startswith(b"/control/"):
            self._control(path.decode(), body)
        elif (method, path) == (b"POST", b"/v3/mail/send"):
            authorization, kind = headers.get(b"authorization", b""), headers.get(b"content-type", b"")
            self._misbehave_or_write(*self._provider.respond(authorization, kind, body))
        elif (method, path) == (b"POST", b"/v3/recipients/erasejob"):
            self.transport.write(self._provider.erase(headers.get(b"authorization", b""), body))
        elif path.startswith(b"/v3/logs"):
            self.transport.write(self._provider.logged(method, path, headers.get(b"authorization", b""), body))
        else:
            self.transport.write(errors(404, None, "Not Found"))

    def _misbehave_or_write(self, fault: str, octets: bytes) -> None:
        if fault:
            self._silent = True
        if fault == "reset":
            self.transport.abort()
        elif fault == "close":
            self.transport.close()
        elif not fault and self._provider.faults.delay:
            asyncio.get_running_loop().call_later(self._provider.faults.delay, self.transport.write, octets)
        elif not fault:
            self.transport.write(octets)

    def _control(self, path: str, body: bytes) -> None:
        asked = json.loads(body) if body else {}
        provider, what, _ = self._provider, *path.removeprefix("/control/").partition("?")[::2]
        if what == "faults":
            provider.faults.set(asked.get("rates", ""))
            provider.faults.script(*asked.get("script", ()))
            provider.reset_seconds = asked.get("reset_seconds", provider.reset_seconds)
            told: Any = {}
        elif what == "accepted":
            told = provider.accepted
        elif what == "key":
            told = {"public": provider.key.public}
        elif what == "events":
            url = asked.pop("url")
            done = asyncio.get_running_loop().run_in_executor(None, lambda: provider.emit(url, **asked))
            done.add_done_callback(lambda d: self._tell({"statuses": d.result()}))
            return
        else:
            self.transport.write(errors(404, None, "Not Found"))
            return
        self._tell(told)

    def _tell(self, value: Any) -> None:
        self.transport.write(answer(200, json.dumps(value).encode()))


@contextlib.contextmanager
def fake_sendgrid(
    *, faults: str = "", seed: int = 0, ledger: Path | None = None, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[FakeSendGrid]:
    """A fake SendGrid on loopback, in a thread of this process."""
    provider = FakeSendGrid(faults=Faults(faults, seed=seed), ledger=Ledger(ledger))
    loop = asyncio.new_event_loop()
    provider.loop = loop
    server = loop.run_until_complete(
        loop.create_server(lambda: _Connection(provider), "127.0.0.1", port, ssl=tls, backlog=512)
    )
    provider.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = Thread(target=loop.run_forever, name="fake-sendgrid", daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(_shut(server, provider), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        provider.ledger.close()


async def _shut(server: asyncio.Server, provider: FakeSendGrid) -> None:
    server.close()
    for connection in list(provider.open):
        connection.transport.abort()
    await asyncio.sleep(0.01)
    await asyncio.get_running_loop().shutdown_default_executor()


async def _serve(options: argparse.Namespace) -> None:
    provider = FakeSendGrid(
        api_key=options.api_key,
        faults=Faults(options.faults, seed=options.seed),
        ledger=Ledger(options.ledger, fsync=options.fsync),
        key=EventKey.kept(options.key) if options.key else EventKey(),
    )
    provider.keep_payloads = False
    loop = asyncio.get_running_loop()
    tls = None
    if options.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.tls)
    server = await loop.create_server(lambda: _Connection(provider), "127.0.0.1", options.port, ssl=tls, backlog=512)
    if options.webhook:
        Reporter(provider.ledger, provider.key, options.webhook, rates(options.events), options.seed).start()
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "key": provider.key.public}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake SendGrid.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key", default=API_KEY)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--fsync", action="store_true", help="sync the ledger before each answer")
    parser.add_argument("--faults", default="", help="such as 429=0.05,hang_after=0.01,delay=0.05")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--key", type=Path, help="file of the key that signs events, made when missing")
    parser.add_argument("--tls", type=Path, help="file with a key and its certificate, see certificates.py")
    parser.add_argument("--webhook", default="", help="report what was taken to this address, all the time")
    parser.add_argument("--events", default="", help="such as bounce=0.01,deferred=0.05,doubled=0.3,shuffled=1")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
