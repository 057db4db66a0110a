"""The chore that ends what has been kept long enough."""

from __future__ import annotations

import structlog

from outreach import people
from workers.app import app, joined

log = structlog.get_logger()


@app.task(name="outreach.scrub")  # type: ignore[untyped-decorator]
def scrub() -> None:
    """Do what `outreach retention` shows, and remove what erased people left outside the database."""
    here = joined()
    now = here.db.now()
    with here.db.begin() as session:
        found = people.overdue(session, here.settings, now=now)
        people.apply(session, found, actor="engine", now=now)
    cleared = people.clear(here.db, here.settings, now=now)
    if cleared.files or cleared.recipients or cleared.left:
        log.info("leftovers_cleared", files=cleared.files, recipients=cleared.recipients, left=cleared.left)
    if any(rows.ids for rows in found):
        log.info("scrubbed", **{rows.rule: len(rows.ids) for rows in found})
