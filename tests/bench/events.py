"""Reports by the thousand: signed requests of a hundred to a real web process, applied by a real Celery worker.

A bare `INSERT … ON CONFLICT DO NOTHING`, a thousand rows a commit, shows what the database alone would take.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

from sqlalchemy import func, select, text

from outreach import waves
from outreach.domain.deliveries import EventState
from outreach.models import Database, Delivery, ProviderEvent
from outreach.settings import Settings
from tests import servers
from tests.bench import crowd
from tests.bench.crews import celery_worker
from tests.bench.databases import ground, settle_down
from tests.bench.environs import environ_of
from tests.bench.figures import rounded
from tests.bench.machine import peak_mb
from tests.bench.webs import post_all, web_process
from tests.fakes.events import EventKey, rows_for

_BATCH, _BARE_BATCH, _HANDS = 100, 1_000, 8
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Reported:
    """`accepted_per_s` until the last request was answered, `projected_per_s` until the last report was applied, both
    from the first request on; `lag_s` lies between the two. Memory is the web process's peak.
    """

    database: str
    events: int
    accepted_per_s: float
    p95_ms: float
    reference_per_s: float
    projected_per_s: float
    lag_s: float
    rss_mb: float
    errors: int
    lost: int

    def as_json(self) -> dict[str, Any]:
        """`ratio` is what the web process took to what the database alone did."""
        return rounded(asdict(self) | {"ratio": self.accepted_per_s / self.reference_per_s}, 3)


def report(events: int, database: str) -> Reported:
    """Two reports about each of `events` / 2 mails that were sent, shuffled."""
    with ExitStack() as stack:
        on = stack.enter_context(ground(database))
        redis = stack.enter_context(servers.redis_server(on.folder / "redis"))[0]
        db, key = on.db, EventKey()
        environ = environ_of(on.folder, on.url, redis=redis, SENDGRID_EVENT_KEYS=key.public)
        settings = Settings.from_env(environ, dotenv=None)
        refs = _send_without_a_provider(db, settings, events // 2)
        settle_down(db)
        requests = list(_requests(refs, key))
        before = _bare(db, events, "before")
        stack.enter_context(celery_worker(environ, settings, db, queues="chores", processes=1))
        port, pid = stack.enter_context(web_process(environ))
        began = time.monotonic()
        answers = asyncio.run(post_all(port, requests, hands=_HANDS))
        accepted = time.monotonic() - began
        _await_applied(db, len(refs) * 2)
        projected = time.monotonic() - began
        rss = peak_mb(pid)
        lost = _not_delivered(db)
    return Reported(
        database,
        len(refs) * 2,
        accepted_per_s=len(refs) * 2 / accepted,
        p95_ms=quantiles([answer.seconds for answer in answers], n=20)[-1] * 1000,
        reference_per_s=before,
        projected_per_s=len(refs) * 2 / projected,
        lag_s=projected - accepted,
        rss_mb=rss,
        errors=sum(1 for answer in answers if answer.status != 200),
        lost=lost,
    )


def _send_without_a_provider(db: Database, settings: Settings, mails: int) -> list[str]:
    """A mailing to so many readers, as it is when the provider has taken all of it: the ids of its mails."""
    now = datetime.now(UTC)
    slug, _ = crowd.gather(db, people=mails, willing=True, now=now)
    crowd.start_mailing(db, slug, settings=settings, now=now)
    while waves.tick(db, settings=settings, now=datetime.now(UTC)).more:
        pass
    with db.begin() as session:
        for statement in (
            "UPDATE deliveries SET state = 'accepted', attempts = 1, tries = 1, accepted_at = created_at",
            "UPDATE counters SET state = 'accepted'",
            "INSERT INTO attempts (delivery_id, number, lane_id, claim_token, transport, started_at, ended_at, outcome,"
            " provider_id, detail, counted)"
            " SELECT id, 1, lane_id, 'x', 'sendgrid', created_at, created_at, 'accepted', '', '', true FROM deliveries",
        ):
            session.execute(text(statement))
        return list(session.scalars(select(Delivery.ref)))


def _requests(refs: Sequence[str], key: EventKey) -> Iterator[bytes]:
    at = time.time()
    records = [
        {
            "to": f"signer{n}@example.org",
            "message_id": f"bench{n:017d}",
            "number": 0,
            "at": at,
            "custom_args": {"oe_delivery": ref, "oe_attempt": "1", "oe_env": "bench"},
        }
        for n, ref in enumerate(refs)
    ]
    rows = rows_for(records, kinds=["processed", "delivered"])
    random.Random(1).shuffle(rows)
    for begin in range(0, len(rows), _BATCH):
        signed = key.signed(rows[begin : begin + _BATCH], at=at)
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        length = f"Content-Length: {len(signed.body)}\r\n"
        yield f"POST /hooks/sendgrid/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}{length}\r\n".encode() + signed.body


def _await_applied(db: Database, events: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with db.read() as session:
            waiting = session.scalar(select(ProviderEvent.id).where(ProviderEvent.applied_at.is_(None)).limit(1))
            if waiting is None and session.scalar(select(func.count()).select_from(ProviderEvent)) == events:
                return
        time.sleep(0.1)
    raise RuntimeError("the reports were not applied in time")


def _not_delivered(db: Database) -> int:
    with db.read() as session:
        elsewhere = Delivery.event_state.is_distinct_from(EventState.DELIVERED)
        return session.scalar(select(func.count()).select_from(Delivery).where(elsewhere)) or 0


def _bare(db: Database, events: int, name: str) -> float:
    """Rows a second."""
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE bare_{name} (id varchar PRIMARY KEY, kind varchar, at varchar)")
    insert = text(
        f"INSERT INTO bare_{name} WITH RECURSIVE n(i) AS (SELECT CAST(:first AS integer) UNION ALL"
        " SELECT i + 1 FROM n WHERE i < :last) SELECT 'event-' || i, 'delivered', CURRENT_TIMESTAMP FROM n"
        " WHERE true ON CONFLICT DO NOTHING"
    )
    began = time.monotonic()
    for first in range(1, events + 1, _BARE_BATCH):
        with db.engine.begin() as connection:
            connection.execute(insert, {"first": first, "last": min(first + _BARE_BATCH - 1, events)})
    return events / (time.monotonic() - began)
