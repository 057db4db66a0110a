"""A web process of the engine, and people at the other end of the wire who send it requests made beforehand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests import servers
from tests.bench.environs import ROOT


class Answered(NamedTuple):
    """What came back, and how long it took."""

    status: int
    seconds: float


@contextmanager
def web_process(environ: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """A web process that listens: its port and its pid."""
    port = servers.free_port()
    given = {**environ, "OUTREACH_PORT": str(port), "OUTREACH_BASE_URL": f"http://127.0.0.1:{port}"}
    command = [sys.executable, "-m", "outreach", "web"]
    quiet = subprocess.DEVNULL
    web = subprocess.Popen(command, env=given, cwd=ROOT, stdout=quiet, stderr=quiet)
    try:
        servers.await_port(port, web)
        yield port, web.pid
    finally:
        servers.stop(web)


async def post_all(port: int, requests: Sequence[bytes], *, hands: int) -> list[Answered]:
    """Send every request once, over so many kept-open connections."""
    rest, answers = iter(requests), list[Answered]()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in rest:
            began = time.monotonic()
            writer.write(request)
            answers.append(Answered(await _status(reader), time.monotonic() - began))
        writer.close()

    await asyncio.gather(*(one() for _ in range(hands)))
    return answers


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    await reader.readexactly(int(length.partition(b":")[2]))
    return int(head.split(b" ", 2)[1])
