"""Where providers report. Nothing is believed before its signature is verified, over the bytes as they came."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse, Response

from outreach import feedback
from outreach.errors import OutOfReach
from outreach.web.bell import chore
from outreach.web.hooks import come_again, is_signed, raw_body, taken
from outreach.web.pages import Db, HeldKeys, HeldSettings, Now
from outreach.webhooks import sendgrid

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


@router.post("/hooks/sendgrid/events")
def sendgrid_events(
    request: Request,
    body: Annotated[bytes, Depends(raw_body)],
    db: Db,
    keys: HeldKeys,
    settings: HeldSettings,
    now: Now,
) -> Response:
    """200 once everything readable is written down, to be applied by a worker; 403 for what SendGrid did not sign;
    503 makes it come again.
    """
    if not is_signed(request, body, settings.sendgrid_event_keys, now=now):
        return PlainTextResponse("not signed by the provider\n", 403)
    try:
        reports = sendgrid.parse(body, keys)
    except ValueError:
        # Signed, so it came from the provider; the same bytes will not read better the next time.
        log.warning("events_unreadable", size=len(body))
        return taken()
    try:
        with db.begin() as session:
            new = feedback.keep(session, reports, env=settings.env, now=now)
    except (OutOfReach, SQLAlchemyError) as error:
        log.warning("events_not_kept", reports=len(reports), error=type(error).__name__)
        return come_again()
    return taken(chore(request, "outreach.events") if new else None)
