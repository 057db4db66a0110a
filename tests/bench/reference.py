"""Bare clients: the same letters as bytes made beforehand, handed over with nothing kept and nothing looked up.

They show what the far server and the machine bear, so that the engine's figure means the same on any machine.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import pickle
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from outreach.domain.messages import Message
from outreach.transports.mime import to_bytes
from outreach.transports.personalizations import request, row
from outreach.transports.sendgrid import payload
from tests.fakes.sendgrid import API_KEY

_CONNECTIONS = 32
_PROCESSES = 2


def post_all(url: str, messages: Sequence[Message], letters: int) -> float:
    """Letters a second of an asyncio client, 32 kept-alive connections, over plain HTTP.

    One request for each letter; straight mails share requests, as the engine has them do.
    """
    if messages[0].straight is not None:
        sharing = _shared_request(messages)
        return _post(url, itertools.repeat(sharing, -(-letters // len(messages)))) * len(messages)
    requests = [_request(payload(message, env="bench")) for message in _marked(messages)]
    return _post(url, itertools.islice(itertools.cycle(requests), letters))


def _post(url: str, requests: Iterable[bytes]) -> float:
    """Requests a second."""
    parts, rest, sent = urlsplit(url), iter(requests), 0

    async def one() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request_ in rest:
            writer.write(request_)
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 202 " not in head[:16]:
                raise RuntimeError(head[:100])
            sent += 1
        writer.close()

    async def all_() -> None:
        await asyncio.gather(*(one() for _ in range(_CONNECTIONS)))

    began = time.monotonic()
    asyncio.run(all_())
    return sent / (time.monotonic() - began)


def _marked(messages: Sequence[Message]) -> list[Message]:
    """So that the far side's record tells them from ours."""
    return [replace(message, delivery=f"reference-{n}") for n, message in enumerate(messages)]


def _shared_request(messages: Sequence[Message]) -> bytes:
    rows = [row(n, message, env="bench") for n, message in enumerate(_marked(messages))]
    return _request(request([one for one in rows if one is not None]))


def _request(said: dict[str, Any]) -> bytes:
    body = json.dumps(said, separators=(",", ":")).encode()
    head = f"POST /v3/mail/send HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {API_KEY}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def smtp_all(url: str, messages: Sequence[Message], letters: int) -> float:
    """Letters a second of two processes in a loop over smtplib's `sendmail`, one kept connection each."""
    mails = [
        (message.sender.address, message.to.address, to_bytes(replace(message, message_id=f"<reference-{n}@bench>")))
        for n, message in enumerate(messages)
    ]
    load = pickle.dumps((url, mails, letters // _PROCESSES))
    command = [sys.executable, "-m", "tests.bench.reference"]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(_PROCESSES)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write(load)
        process.stdin.close()
    spans = [json.loads(process.stdout.read()) for process in started if process.stdout]
    for process in started:
        process.wait()
    seconds: float = max(ended for _, ended in spans) - min(began for began, _ in spans)
    return letters / seconds


def main() -> None:
    """One process's share over `sendmail`; tells when it began and ended."""
    url, mails, letters = pickle.load(sys.stdin.buffer)
    parts = urlsplit(url)
    began = time.monotonic()
    with smtplib.SMTP(parts.hostname or "", parts.port or 0) as smtp:
        for sender, recipient, octets in itertools.islice(itertools.cycle(mails), letters):
            smtp.sendmail(sender, [recipient], octets)
    print(json.dumps([began, time.monotonic()]))


if __name__ == "__main__":
    main()
