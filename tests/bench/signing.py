"""The sign form under load: a real web process, real servers, and every signature looked for afterwards."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select

from outreach.domain.deliveries import MailClass
from outreach.models import Campaign, Database, Delivery, Signature, Supporter
from tests import factories, servers
from tests.bench.databases import Ground, ground
from tests.bench.environs import environ_of
from tests.bench.figures import rounded
from tests.bench.machine import children, cpu_of, peak_mb
from tests.bench.webs import web_process

#: No limit of the form is reached by a crowd of people who each come from a network of their own.
_NO_LIMIT = "1000000"


@dataclass(frozen=True, slots=True)
class Signing:
    """What the form took in `seconds`. `stored` are signatures, `asked` confirmation mails, `distinct` addresses."""

    database: str
    seconds: float
    answered: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int
    stored: int
    distinct: int
    asked: int
    web_cpu_ms: float  #: of the web processes, for one signature
    rss_mb: float

    @property
    def lost(self) -> int:
        """Signatures that were thanked for and are not there, or have no mail."""
        return 2 * self.answered - self.stored - self.asked

    def as_json(self) -> dict[str, Any]:
        return rounded(asdict(self) | {"lost": self.lost}, 2)


@dataclass
class Crowd:
    """People who sign one after the other on `hands` kept-open connections."""

    port: int
    slug: str
    until: float
    rate: float  #: forms a second that arrive whatever the answers take; 0 is "as fast as it answers"
    begun: int = 0
    answered: int = 0
    errors: int = 0
    took: list[float] = field(default_factory=list)

    async def sign_all(self, hands: int) -> None:
        self.start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(hands):
                group.create_task(self._sign_on())

    async def _sign_on(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.monotonic() < self.until:
            n = self.begun
            self.begun += 1
            due = self.start + n / self.rate if self.rate else time.monotonic()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            writer.write(form_of(n, self.slug, self.port))
            status = await _answer(reader)
            self.took.append(time.monotonic() - due)  # from when the person came, not from when we had time
            if status == 303:
                self.answered += 1
            else:
                self.errors += 1
        writer.close()


def form_of(n: int, slug: str, port: int) -> bytes:
    body = urlencode(
        {
            "name": f"Signer No. {n}",
            "email": f"signer-{n}@example.org",
            "city": "Springfield",
            "own_words": f"These are the words of signer {n}, who has lived here for {n % 60} years.",
            "updates": "yes" if n % 3 == 0 else "",
        }
    ).encode()
    network = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    head = (
        f"POST /c/{slug}/sign HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n"
        f"X-Forwarded-For: {network}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


def sign(seconds: int, database: str, *, hands: int = 24, rate: float = 0.0, processes: int = 1) -> Signing:
    """Let a crowd sign one campaign for `seconds`, and count what is there afterwards."""
    with ground(database) as on, servers.redis_server(on.folder / "redis") as (redis, _):
        db = on.db
        with db.begin() as session:
            campaign = factories.campaign(session, targets=2, now=datetime.now(UTC))
            campaign.signs_per_minute = int(_NO_LIMIT)
            slug = campaign.slug
        with web_process(environ_without_limits(on, redis, processes)) as (port, pid):
            pids = [pid, *children(pid)]
            asyncio.run(Crowd(port, slug, time.monotonic() + 2, rate=20).sign_all(4))  # nothing is cold any more
            before, cpu = _stored(db), sum(map(cpu_of, pids))
            crowd = Crowd(port, slug, time.monotonic() + seconds, rate, begun=1_000_000)
            began = time.monotonic()
            asyncio.run(crowd.sign_all(hands))
            took = time.monotonic() - began
            cpu = sum(map(cpu_of, pids)) - cpu
            rss = max(map(peak_mb, pids))
        stored, distinct, asked = (now - then for now, then in zip(_stored(db), before, strict=True))
    cuts = quantiles(crowd.took, n=100)
    return Signing(
        database=database,
        seconds=took,
        answered=crowd.answered,
        per_s=crowd.answered / took,
        p50_ms=cuts[49] * 1000,
        p95_ms=cuts[94] * 1000,
        p99_ms=cuts[98] * 1000,
        errors=crowd.errors,
        stored=stored,
        distinct=distinct,
        asked=asked,
        web_cpu_ms=cpu * 1000 / max(1, crowd.answered),
        rss_mb=rss,
    )


def environ_without_limits(on: Ground, redis: str, processes: int = 1) -> dict[str, str]:
    """For so many web processes at which a crowd may sign that says of each of its people where they come from."""
    more = {"TRUSTED_HOPS": "1", "SIGNS_PER_MINUTE": _NO_LIMIT, "DOMAIN_SIGNS_PER_MINUTE": _NO_LIMIT}
    return environ_of(on.folder, on.url, redis=redis, WEB_PROCESSES=str(processes), **more)


def _stored(db: Database) -> tuple[int, int, int]:
    with db.read() as session:
        signatures = session.scalar(select(func.count()).select_from(Signature).join(Campaign)) or 0
        addresses = session.scalar(select(func.count(func.distinct(Supporter.address_key)))) or 0
        asked = session.scalar(
            select(func.count()).select_from(Delivery).where(Delivery.mail_class == MailClass.CONFIRMATION)
        )
    return signatures, addresses, asked or 0
