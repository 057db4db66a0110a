"""For machines that watch: is the process alive, can it work, and how are the books."""

from __future__ import annotations

from datetime import datetime

import redis
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from outreach import embedded
from outreach.domain.deliveries import State, Stream
from outreach.errors import OutOfReach
from outreach.heartbeats import FRESH
from outreach.migrating import require_current
from outreach.models import Brake, Counter, Delivery, Heartbeat
from outreach.settings import Settings
from outreach.web.pages import Db, HeldSettings, Now

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz() -> Response:
    """This process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(db: Db, settings: HeldSettings) -> JSONResponse:
    """200 when the database answers and is at the right step. Redis is told of, not needed: it only carries hints."""
    redis_state = "ok" if _redis_answers(settings) else "away"
    try:
        require_current(db)
    except OutOfReach as error:
        # The message may quote the server's words; who asks from outside gets none of them.
        migrate = "needs a migration" if "step" in error.message else "away"
        return JSONResponse({"ready": False, "database": migrate, "redis": redis_state}, 503, {"Retry-After": "10"})
    return JSONResponse({"ready": True, "database": "ok", "redis": redis_state})


def _redis_answers(settings: Settings) -> bool:
    try:
        with embedded.connect(settings, timeout=0.5) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


@router.get("/metrics")
def metrics(request: Request, db: Db, now: Now) -> Response:
    """Numbers for Prometheus, read from the books at this moment. Not for those who come through the proxy."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        raise HTTPException(404)
    with db.read() as session:
        families = read_families(session, now)
    registry = CollectorRegistry()
    registry.register(_Once(families))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Once:
    """A collector of families that are already there."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families


def read_families(session: Session, now: datetime) -> list[GaugeMetricFamily]:
    """Deliveries by class and state (from the counters), the oldest due row by stream, processes, brakes."""
    deliveries = GaugeMetricFamily("outreach_deliveries", "Deliveries by class and state.", labels=["class", "state"])
    sums = select(Counter.mail_class, Counter.state, func.sum(Counter.n)).group_by(Counter.mail_class, Counter.state)
    for mail_class, state, n in session.execute(sums):
        deliveries.add_metric([mail_class.value, state.value], int(n))
    overdue = GaugeMetricFamily(
        "outreach_oldest_due_seconds", "Age of the oldest queued delivery that is due.", labels=["stream"]
    )
    for stream in Stream:
        first = select(func.min(Delivery.due_at)).where(Delivery.state == State.QUEUED, Delivery.stream == stream)
        due_at = session.scalar(first)
        overdue.add_metric([stream.value], max(0.0, (now - due_at).total_seconds()) if due_at else 0.0)
    alive = GaugeMetricFamily("outreach_processes", "Processes with a fresh heartbeat.", labels=["kind"])
    fresh = select(Heartbeat.kind, func.count()).where(Heartbeat.seen_at > now - FRESH).group_by(Heartbeat.kind)
    for kind, n in session.execute(fresh):
        alive.add_metric([kind], n)
    pulled = session.scalar(select(func.count()).select_from(Brake).where(Brake.lifted_at.is_(None))) or 0
    brakes = GaugeMetricFamily("outreach_brakes_pulled", "Brakes that hold something back.", value=pulled)
    return [deliveries, overdue, alive, brakes]
