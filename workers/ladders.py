"""The follow-up chore."""

from __future__ import annotations

import structlog

from outreach import ladders
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.wake import wake
from workers.app import app, joined

log = structlog.get_logger()


@app.task(name="outreach.climb")  # type: ignore[untyped-decorator]
def climb() -> None:
    """Put signers on the rungs of their ladders, and send the steps that are due."""
    here = joined()
    settings = here.settings
    done = ladders.climb(
        here.db, mails_per_week=settings.mails_per_week, reminders=settings.reminders, now=here.db.now()
    )
    if done.begun or done.sent or done.skipped:
        log.info("climbed", begun=done.begun, sent=done.sent, skipped=done.skipped)
    if done.sent:
        wake(broker_url(here.settings), Stream.ACT)
