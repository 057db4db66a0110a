"""The chore that ends signatures by the thousand, and takes that back."""

from __future__ import annotations

import structlog

from outreach import moderation
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.wake import ring, wake
from workers import alive
from workers.app import app, joined

log = structlog.get_logger()


@app.task(name="outreach.invalidate")  # type: ignore[untyped-decorator]
def invalidate() -> None:
    """Carry on what staff began; ring for what came back, and again for itself if there is more to do."""
    here = joined()
    with alive.busy:
        done = moderation.carry_on(here.db, now=here.db.now(), goes_on=alive.goes_on)
    broker = broker_url(here.settings)
    if done.came_back:
        wake(broker, Stream.ACT, Stream.LETTERS)
    if done.more and alive.goes_on():
        ring(broker, "outreach.invalidate")
