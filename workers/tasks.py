"""The tasks: each opens the door to one verb. They may run twice, late, or never; the rows decide what happens."""

from __future__ import annotations

from datetime import timedelta

import structlog

from outreach import heartbeats, outbox, sending
from outreach.domain.deliveries import Stream
from outreach.embedded import broker_url
from outreach.wake import wake
from workers import alive
from workers.app import app, joined

log = structlog.get_logger()

#: Rows of processes that were not seen for this long are deleted.
LONG_GONE = timedelta(days=1)


@app.task(name="outreach.send")  # type: ignore[untyped-decorator]
def send(stream: str) -> None:
    """Hand over what is due in a stream; ring again if something left, as there may be more.

    A full batch rings for one process more, which rings for the next: rings never outnumber the batches that left.
    """
    here = joined()

    def ring() -> None:
        wake(broker_url(here.settings), Stream(stream))

    with alive.busy:
        accepted = sending.send_due(
            here.db,
            here.hands,
            here.desk,
            stream=Stream(stream),
            settings=here.settings,
            fallback=here.fallback,
            goes_on=alive.goes_on,
            plenty=ring,
        )
    if accepted > 0 and alive.goes_on():
        ring()


@app.task(name="outreach.sweep")  # type: ignore[untyped-decorator]
def sweep() -> None:
    """Ring for every stream that has something due."""
    here = joined()
    now = here.db.now()
    with here.db.read() as session:
        streams = outbox.due_streams(session, now)
    wake(broker_url(here.settings), *streams)


@app.task(name="outreach.rescue")  # type: ignore[untyped-decorator]
def rescue() -> None:
    """Free what dead workers held, and settle the doubts that need no evidence."""
    here = joined()
    now = here.db.now()
    with here.db.begin() as session:
        queued, in_doubt = outbox.rescue(session, now=now)
        again = outbox.resolve_doubts(session, now=now)
    if queued or in_doubt or again:
        log.warning("rescued", queued=queued, in_doubt=in_doubt, asked_again=again)


@app.task(name="outreach.prune")  # type: ignore[untyped-decorator]
def prune() -> None:
    """Forget processes that are long gone."""
    here = joined()
    now = here.db.now()
    with here.db.begin() as session:
        heartbeats.forget(session, before=now - LONG_GONE)
