"""Tasks about what providers report. They may run twice, late, or never; the rows decide what happens."""

from __future__ import annotations

import time

import structlog

from outreach import feedback
from workers import alive
from workers.app import app, joined

log = structlog.get_logger()

#: A task works this long at a stretch; the next ring goes on.
_STRETCH = 10.0


@app.task(name="outreach.events")  # type: ignore[untyped-decorator]
def events() -> None:
    """Apply the reports that wait."""
    here = joined()
    begun = time.monotonic()
    with alive.busy:
        done = feedback.apply_waiting(
            here.db,
            env=here.settings.env,
            now=here.db.now(),
            goes_on=lambda: alive.goes_on() and time.monotonic() - begun < _STRETCH,
        )
    if done.new:
        log.info("reports_applied", applied=done.new, foreign=done.foreign, failed=done.failed)


@app.task(name="outreach.reconcile")  # type: ignore[untyped-decorator]
def reconcile() -> None:
    """Look up what is in doubt."""
    here = joined()
    settings = here.settings
    with alive.busy, feedback.provider_logs(settings) as logs:
        done = feedback.reconcile(here.db, env=settings.env, now=here.db.now(), logs=logs, goes_on=alive.goes_on)
    if done.by_report or done.by_log:
        log.warning("doubts_settled", by_report=done.by_report, by_log=done.by_log, left=len(done.left))
