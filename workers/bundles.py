"""The task that sends bundles. It may run twice, late, or never; the rows decide what happens."""

from __future__ import annotations

from outreach import sending
from workers import alive
from workers.app import app, joined


@app.task(name="outreach.bundles")  # type: ignore[untyped-decorator]
def bundles() -> None:
    """Hand over the bundles of those offices that get one now."""
    here = joined()
    with alive.busy:
        sending.send_bundles(
            here.db, here.hands, here.desk, settings=here.settings, fallback=here.fallback, goes_on=alive.goes_on
        )
