"""The task that carries waves on. It may run twice, late, or never; the rows decide what happens."""

from __future__ import annotations

import structlog

from outreach import forecasts, waves
from outreach.embedded import broker_url
from outreach.wake import ring, wake
from workers import alive
from workers.app import app, joined

log = structlog.get_logger()


@app.task(name="outreach.plan")  # type: ignore[untyped-decorator]
def plan() -> None:
    """Begin, plan, watch and end waves; ring for what may leave now, and again for itself if there is more to do."""
    here = joined()
    with alive.busy:
        done = waves.tick(here.db, settings=here.settings, now=here.db.now(), goes_on=alive.goes_on)
    broker = broker_url(here.settings)
    if done.streams:
        wake(broker, *done.streams)
    if done.more and alive.goes_on():
        ring(broker, "outreach.plan")


@app.task(name="outreach.foresee")  # type: ignore[untyped-decorator]
def foresee() -> None:
    """Tell staff of mailboxes that cannot keep the longest wait that is promised."""
    here = joined()
    with alive.busy, here.db.begin() as session:
        told = forecasts.watch_promises(session, settings=here.settings, now=here.db.now())
    if told:
        log.warning("promise_not_kept", lanes=told)
