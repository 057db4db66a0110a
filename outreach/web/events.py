"""Where providers report. Nothing is believed before its signature is verified, over the bytes as they came."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response

from outreach import feedback, wake
from outreach.embedded import broker_url
from outreach.errors import OutOfReach
from outreach.keys import Keys
from outreach.models import Database
from outreach.settings import Settings
from outreach.web.pages import db_of, keys_of, now_of, settings_of
from outreach.webhooks import sendgrid

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


async def raw_body(request: Request) -> bytes:
    """The body, byte for byte."""
    return await request.body()


@router.post("/hooks/sendgrid/events")
def sendgrid_events(
    request: Request,
    body: Annotated[bytes, Depends(raw_body)],
    db: Annotated[Database, Depends(db_of)],
    keys: Annotated[Keys, Depends(keys_of)],
    settings: Annotated[Settings, Depends(settings_of)],
    now: Annotated[datetime, Depends(now_of)],
) -> Response:
    """200 once everything readable is written down, to be applied by a worker; 403 for what SendGrid did not sign;
    503 makes it come again.
    """
    signature = request.headers.get(sendgrid.SIGNATURE_HEADER)
    timestamp = request.headers.get(sendgrid.TIMESTAMP_HEADER)
    if not sendgrid.verify(body, signature, timestamp, settings.sendgrid_event_keys, now=now):
        return PlainTextResponse("not signed by the provider\n", 403)
    try:
        reports = sendgrid.parse(body, keys)
    except ValueError:
        # Signed, so it came from the provider; the same bytes will not read better the next time.
        log.warning("events_unreadable", size=len(body))
        return PlainTextResponse("ok\n")
    try:
        with db.begin() as session:
            new = feedback.keep(session, reports, env=settings.env, now=now)
    except (OutOfReach, SQLAlchemyError) as error:
        log.warning("events_not_kept", reports=len(reports), error=type(error).__name__)
        return PlainTextResponse("not written down; send it again\n", 503, {"Retry-After": "60"})
    ring = BackgroundTask(wake.ring, broker_url(settings), "outreach.events") if new else None
    return PlainTextResponse("ok\n", background=ring)
