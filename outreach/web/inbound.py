"""Where SendGrid posts the mails that come to the reply domain. Whoever posts must know the secret, or sign.

A mail that is understood is answered with 200 whatever it is and whether or not its address exists: SendGrid would
otherwise offer it for three days, and its writer would learn which addresses exist.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as BadBase64
from datetime import datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import PlainTextResponse, Response

from outreach import inbound, replies
from outreach.domain.deliveries import Stream
from outreach.domain.mails import Unreadable
from outreach.errors import OutOfReach
from outreach.inbound import Kind
from outreach.models import Database
from outreach.settings import Settings
from outreach.web.bell import bell
from outreach.web.hooks import come_again, is_signed, raw_body, taken
from outreach.web.pages import Db, HeldKeys, HeldSettings, Now
from outreach.webhooks import inbound_parse

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)


@router.post("/hooks/sendgrid/inbound")
@router.post("/hooks/sendgrid/inbound/{secret}")
def sendgrid_inbound(
    request: Request,
    body: Annotated[bytes, Depends(raw_body)],
    db: Db,
    keys: HeldKeys,
    settings: HeldSettings,
    now: Now,
    secret: str = "",
) -> Response:
    """200 once it is written down; 403 for whoever may not post; 503 makes it come again."""
    if not _may_post(request, body, secret, settings, now):
        return PlainTextResponse("not allowed\n", 403)
    try:
        posted = inbound_parse.parse(body, request.headers.get("content-type", ""))
        with db.begin() as session:
            kind = inbound.take(session, posted.mail, to=posted.to, settings=settings, keys=keys, now=now)
            if kind is Kind.OTHER:  # it was for people, and SendGrid has nobody to give it to
                replies.tally(session, "not_ours", now=now)
    except (Unreadable, ValueError) as error:
        # The same bytes will not read better the next time.
        log.warning("inbound_unreadable", size=len(body), why=str(error) or type(error).__name__)
        return _counted(db, now)
    except (OutOfReach, SQLAlchemyError) as error:
        return _not_kept(error)
    return taken(bell(request, Stream.ACT) if kind is Kind.REPLY else None)


def _counted(db: Database, now: datetime) -> Response:
    try:
        with db.begin() as session:
            replies.tally(session, "unreadable", now=now)
    except (OutOfReach, SQLAlchemyError) as error:
        return _not_kept(error)
    return taken()


def _not_kept(error: Exception) -> Response:
    log.warning("inbound_not_kept", error=type(error).__name__)
    return come_again()


def _may_post(request: Request, body: bytes, secret: str, settings: Settings, now: datetime) -> bool:
    """Every proof that is set up must be there; where none is, nobody may."""
    proofs = []
    if settings.inbound_secret:
        given = secret or _password(request.headers.get("authorization", ""))
        proofs.append(hmac.compare_digest(given.encode(), settings.inbound_secret.encode()))
    if settings.sendgrid_inbound_keys:
        proofs.append(is_signed(request, body, settings.sendgrid_inbound_keys, now=now))
    return bool(proofs) and all(proofs)


def _password(authorization: str) -> str:
    """That of an `https://anybody:SECRET@…` address, as it arrives."""
    scheme, _, coded = authorization.partition(" ")
    try:
        user_and_password = b64decode(coded, validate=True).decode() if scheme.lower() == "basic" else ""
    except (BadBase64, ValueError):
        return ""
    return user_and_password.partition(":")[2]
