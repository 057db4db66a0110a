"""A fast SMTP server that keeps every envelope and every byte of DATA, and fails on request.

In a test: `with smtp_sink() as sink: …  sink.url, sink.accepted, sink.faults.script("drop_after")`.
As a process: `python -m tests.fakes.smtp_sink --port 2525 --ledger taken.jsonl --faults 450=0.02,drop_after=0.01`.

A record: {"from", "to", "data" (latin-1, dots unstuffed), "delivery" (of the Message-ID's local part), "at"}.
Faults: 421 450 550 (to RCPT), 554_data (to DATA), 451_dot 552_dot (after the final dot), drop (at MAIL), drop_data
(in the middle of DATA), drop_after (taken, then the connection ends), hang, hang_after.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

from tests.fakes.faults import Faults
from tests.fakes.ledger import Ledger

_END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]*)@", re.MULTILINE)


class SmtpSink:
    """What the sink does and what it took."""

    def __init__(self, *, faults: Faults | None = None, ledger: Ledger | None = None, pipelining: bool = True) -> None:
        self.url = ""
        self.port = 0
        self.faults = faults or Faults()
        self.ledger = ledger or Ledger()
        self.pipelining = pipelining
        self.trusting = False  #: answers DATA with 354 although the recipient was refused
        self.connections = 0
        self.commands: list[str] = []  #: every command line, in order
        self.keep_commands = True
        self.open: set[_Session] = set()
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def accepted(self) -> list[dict[str, Any]]:
        return self.ledger.records

    def drop_connections(self, farewell: bytes = b"") -> None:
        """End every session that is open now, with or without a word."""
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(self._drop(farewell), self.loop).result(10)

    async def _drop(self, farewell: bytes) -> None:
        for session in list(self.open):
            session.transport.write(farewell)
            session.transport.close()
        await asyncio.sleep(0)


class _Session(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, sink: SmtpSink) -> None:
        self._sink = sink
        self._buffer = b""
        self._in_data = False
        self._silent = False
        self._reset()

    def _reset(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._fault = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._sink.connections += 1
        self._sink.open.add(self)
        transport.write(b"220 sink.example.org ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answers = bytearray()
        while not self._silent:
            if self._in_data:
                answer = self._body()
            else:
                line, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    break
                self._buffer = rest
                answer = self._command(line.decode("latin-1"))
            if not answer:
                break
            answers += answer
        if answers:
            self.transport.write(bytes(answers))
        if self._silent and self._fault.startswith("drop"):
            self.transport.close()

    def _command(self, line: str) -> bytes:
        if self._sink.keep_commands:
            self._sink.commands.append(line)
        verb = line[:4].upper()
        if verb == "EHLO":
            more = "250-PIPELINING\r\n" if self._sink.pipelining else ""
            return f"250-sink.example.org\r\n{more}250 SIZE 50000000\r\n".encode()
        if verb == "MAIL":
            self._reset()
            self._sender = _path(line)
            self._fault = self._sink.faults.next()
            return self._go_silent() if self._fault in ("drop", "hang") else b"250 2.1.0 Ok\r\n"
        if verb == "RCPT":
            return self._recipient(_path(line))
        if verb == "DATA":
            return self._data()
        if verb == "QUIT":
            self._silent, self._fault = True, "drop"
            return b"221 2.0.0 Bye\r\n"
        if verb == "RSET":
            self._reset()
        return b"250 2.0.0 Ok\r\n" if verb in ("RSET", "NOOP", "HELO") else b"502 5.5.1 What?\r\n"

    def _recipient(self, address: str) -> bytes:
        if self._fault == "421":
            self._silent, self._fault = True, "drop"
            return b"421 4.3.2 Service shutting down\r\n"
        if self._fault == "450":
            return f"450 4.2.0 <{address}>: Greylisted\r\n".encode()
        if self._fault == "550":
            return f"550 5.1.1 <{address}>: User unknown\r\n".encode()
        self._recipients.append(address)
        return b"250 2.1.5 Ok\r\n"

    def _data(self) -> bytes:
        if self._fault == "554_data":
            return b"554 5.7.1 Refused by policy\r\n"
        if not self._recipients and not self._sink.trusting:
            return b"554 5.5.1 No valid recipients\r\n"
        self._in_data = True
        return b"354 Go ahead\r\n"

    def _body(self) -> bytes:
        if self._fault == "drop_data":
            return self._go_silent()
        if self._buffer.startswith(b".\r\n"):
            octets, self._buffer = b"", self._buffer[3:]
        elif (end := self._buffer.find(_END)) >= 0:
            octets, self._buffer = self._buffer[: end + 2], self._buffer[end + len(_END) :]
        else:
            return b""
        self._in_data = False
        if not self._recipients:
            return b"554 5.5.1 No valid recipients\r\n"
        if self._fault == "451_dot":
            return b"451 4.3.0 Queue file write error\r\n"
        if self._fault == "552_dot":
            return b"552 5.3.4 Message too big\r\n"
        self._keep(octets)
        if self._fault in ("drop_after", "hang_after"):
            return self._go_silent()
        answer = f"250 2.0.0 Ok: queued as {len(self._sink.accepted):08X}\r\n".encode()
        self._reset()
        return answer

    def _keep(self, octets: bytes) -> None:
        data = octets.replace(b"\r\n..", b"\r\n.")
        found = _MESSAGE_ID.search(data)
        record = {"from": self._sender, "to": self._recipients, "data": data.decode("latin-1"), "at": time.time()}
        record["delivery"] = found[1].decode("latin-1") if found else ""
        self._sink.ledger.add([record])

    def _go_silent(self) -> bytes:
        self._silent = True
        return b""


def _path(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@contextlib.contextmanager
def smtp_sink(
    *,
    faults: str = "",
    seed: int = 0,
    ledger: Path | None = None,
    tls: ssl.SSLContext | None = None,
    pipelining: bool = True,
) -> Iterator[SmtpSink]:
    """A sink on loopback, in a thread of this process."""
    sink = SmtpSink(faults=Faults(faults, seed=seed), ledger=Ledger(ledger), pipelining=pipelining)
    loop = asyncio.new_event_loop()
    sink.loop = loop
    server = loop.run_until_complete(loop.create_server(lambda: _Session(sink), "127.0.0.1", 0, ssl=tls))
    sink.port = server.sockets[0].getsockname()[1]
    sink.url = f"{'smtps' if tls else 'smtp'}://127.0.0.1:{sink.port}"
    thread = Thread(target=loop.run_forever, name="smtp-sink", daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(_shut(server, sink), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        sink.ledger.close()


async def _shut(server: asyncio.Server, sink: SmtpSink) -> None:
    server.close()
    for session in list(sink.open):
        session.transport.abort()
    await asyncio.sleep(0.01)


async def _serve(options: argparse.Namespace) -> None:
    sink = SmtpSink(
        faults=Faults(options.faults, seed=options.seed), ledger=Ledger(options.ledger, fsync=options.fsync)
    )
    sink.keep_commands = False
    server = await asyncio.get_running_loop().create_server(lambda: _Session(sink), "127.0.0.1", options.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="An SMTP server that keeps everything.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--fsync", action="store_true")
    parser.add_argument("--faults", default="")
    parser.add_argument("--seed", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
